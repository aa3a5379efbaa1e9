"""Errors with a message for the user, and the exit codes of the commands.

docs/release.md documents those of a release.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import ParamSpec

from commands.control_characters import escape_control_characters
from local.errors import LocalError
from settings import SettingsError

FAILED = 1
"""Exit code when the work itself failed; running the same command again is safe."""
BAD_INPUT = 2
"""Exit code for bad input: the command has changed nothing."""
UNDECIDED = 2
"""Exit code when the result of a release is not known: somebody has to decide. The same as
:data:`BAD_INPUT`; its message says which of them it is."""
UNCHECKED = 4
"""Exit code when a check could not run, so nothing was found."""
BROKEN_PIPE = 141
"""Exit code when the reader of stdout has ended, as with ``make logs | head -1``: as in a shell."""

Arguments = ParamSpec("Arguments")


class CommandError(Exception):
    """Ends a command with one message.

    ``exit_code`` is :data:`BAD_INPUT`, :data:`UNDECIDED`, :data:`UNCHECKED` or :data:`FAILED`.
    """

    def __init__(self, message: str, exit_code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def report_errors(main: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Decorator of a command: prints an error as one message and returns its exit code.

    A :class:`CommandError` has its own exit code. Invalid settings and missing prerequisites are
    :data:`BAD_INPUT`; a full disk or a program that times out is :data:`FAILED`.
    """

    @wraps(main)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        if isinstance(sys.stdout, TextIOWrapper):
            # Child processes write to the same stdout: keep the lines in order.
            sys.stdout.reconfigure(line_buffering=True)
        try:
            code = main(*args, **kwargs)
            sys.stdout.flush()
        except CommandError as error:
            _print(error)
            return error.exit_code
        except (LocalError, SettingsError) as error:
            _print(error)
            return BAD_INPUT
        except BrokenPipeError:
            # Python flushes stdout at exit and would print another error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except (OSError, subprocess.SubprocessError) as error:
            _print(error)
            return FAILED
        return code

    return wrapper


def _print(error: Exception) -> None:
    # A message quotes values from files, servers and other programs.
    text = escape_control_characters(str(error), keep="\t\n")
    print(f"error: {text}", file=sys.stderr)
