"""Compares a stack's Kubernetes objects between a commit and the working tree."""
