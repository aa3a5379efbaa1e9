"""Pulumi plugins for a machine that cannot download them."""
