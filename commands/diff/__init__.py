"""``make diff``: what a change does to a stack's objects, without a cluster or credentials."""
