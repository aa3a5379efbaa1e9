"""How every command ends: with one message for a person, and an exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import ParamSpec

from commands.errors import BAD_INPUT, FAILED, CommandError
from local.errors import LocalError
from settings import SettingsError

UNREAD = 141
"""Exit code when nobody reads on, as with ``make logs | head -1``; a shell has the same."""

Arguments = ParamSpec("Arguments")


def command(run: Callable[Arguments, int]) -> Callable[Arguments, int]:
    """Let a function that returns its exit code do so also when it raises an error for a person.

    A :class:`CommandError` brings its own. What is wrong with the settings, or with what the
    machine has, is :data:`BAD_INPUT`; a full disk or a program that does not end :data:`FAILED`.
    """

    @wraps(run)
    def ended(*args: Arguments.args, **kwargs: Arguments.kwargs) -> int:
        if isinstance(sys.stdout, TextIOWrapper):
            # Programs that it runs write to the same place: each line in its turn.
            sys.stdout.reconfigure(line_buffering=True)
        try:
            code = run(*args, **kwargs)
            sys.stdout.flush()
        except CommandError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        except (LocalError, SettingsError) as error:
            print(f"error: {error}", file=sys.stderr)
            return BAD_INPUT
        except BrokenPipeError:
            # Python would write the rest when it ends, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UNREAD
        except (OSError, subprocess.SubprocessError) as error:
            print(f"error: {error}", file=sys.stderr)
            return FAILED
        return code

    return ended
