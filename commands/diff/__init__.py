"""``make diff``: changes of a stack's objects between a commit and the working tree."""
