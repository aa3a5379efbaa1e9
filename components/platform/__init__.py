"""Operators that a stack brings along."""
