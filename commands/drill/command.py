"""A command of the Makefile in a process group of its own, which Ctrl-C does not reach."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from settings.stack_file import PROJECT_FOLDER

_END_SECONDS = 60
"""Time for Pulumi to save its state."""


class Command:
    """``python -m commands`` with these arguments. ``log`` is the file for its output."""

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = arguments[0]
        with log.open("ab") as output:
            output.write(f"\n$ commands {' '.join(arguments)}\n".encode())
            output.flush()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "commands", *arguments],
                cwd=PROJECT_FOLDER,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """Exit code. ``None``: it runs."""
        return self._process.poll()

    def end(self) -> None:
        """End the command: Pulumi cancels its update and saves its state."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
