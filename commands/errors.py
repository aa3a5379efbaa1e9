"""Errors a person can act on."""

BAD_INPUT = 2
"""Exit code when what was asked for cannot be done as asked; nothing was touched."""

FAILED = 1
"""Exit code when the work itself failed; running the same command again is safe."""

UNCHECKED = 4
"""Exit code when nothing was found because nothing could be looked at."""


class CommandError(Exception):
    """Ends a command with one message.

    ``exit_code`` is :data:`BAD_INPUT` when nothing was touched, :data:`UNCHECKED` when a check
    could not be made, :data:`FAILED` otherwise.
    """

    def __init__(self, message: str, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code
