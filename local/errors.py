"""Errors that a user can act on."""


class LocalError(Exception):
    """Printed as one message with exit code 2, without a traceback."""
