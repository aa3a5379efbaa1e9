"""The one error a person sees."""


class LocalError(Exception):
    """Something the user can act on: printed as one message, exit code 2, never a traceback."""
