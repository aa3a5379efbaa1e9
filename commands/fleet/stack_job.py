"""Commands of one stack of a fleet: child processes, one after the other, with one log file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from commands.errors import FAILED, UNDECIDED
from commands.parent_signal import signal_with_parent
from settings.fleet import Member
from settings.stack_file import PROJECT_FOLDER

PYTHON = (sys.executable, "-m")

Command = Sequence[str]
"""A program and its arguments."""


class ChildProcess(Protocol):
    """A process, as :class:`subprocess.Popen`."""

    def poll(self) -> int | None:
        """Return the exit code. None: it runs."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM."""
        ...

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        ...


Launch = Callable[[Command, Mapping[str, str], Path], ChildProcess]
"""Starts a command with environment variables, besides those of this process, and a log file."""


def launch(command: Command, variables: Mapping[str, str], log: Path) -> ChildProcess:
    """Start a command as a child process."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*signal_with_parent("TERM"), *command],
            cwd=PROJECT_FOLDER,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C would interrupt Pulumi twice, and it would not save its state.
            start_new_session=True,
        )


def module(*arguments: str) -> Command:
    """The command that runs a module, such as ``commands up --stack prod``."""
    return (*PYTHON, *arguments)


class State(Enum):
    """State of a stack; the value is what the table shows."""

    WAITING = "waiting"
    UPDATING = "updating"
    OBSERVING = "observing"
    PREVIEWING = "previewing"
    ROLLING_BACK = "rolling back"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    """The command has changed nothing."""
    UNDECIDED = "undecided"
    INTERRUPTED = "interrupted"


@dataclass
class StackJob:
    """Commands of a stack. :meth:`start`, then :meth:`poll` until it returns True."""

    member: Member
    log: Path
    """File with the output of all commands."""
    versions: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables of the commands, besides those of this process."""
    launch: Launch = launch
    state: State = State.WAITING
    code: int = 0
    """Exit code of the last command."""
    reason: str = ""
    """Last error of a command that has failed."""
    _commands: list[Command] = field(default_factory=list[Command])
    _is_cut_short: bool = False
    """True if an interrupt has removed commands that had not started."""
    _process: ChildProcess | None = None
    _started: float = 0
    _seconds: float = 0

    @property
    def stack(self) -> str:
        """Name of the stack."""
        return self.member.stack

    @property
    def seconds(self) -> float:
        """Time that its commands have taken."""
        return self._seconds + (time.monotonic() - self._started if self._process else 0)

    def start(self, state: State, commands: Sequence[Command]) -> None:
        """Start the first of the commands. The next one starts when it has succeeded."""
        self.state, self._commands, self._started = state, [*commands], time.monotonic()
        self._start_next()

    def poll(self) -> bool:
        """Start the next command, if one has ended. True: all have ended, or one has failed."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        if code == 0 and self._commands:
            self._start_next()
            return False
        self._end(code)
        return True

    def interrupt(self) -> None:
        """Ask the command to end. Pulumi saves its state first."""
        self._is_cut_short = bool(self._commands)
        self._commands = []
        if self._process:
            self._process.terminate()

    def wait(self) -> None:
        """Wait for the end of a command that was interrupted."""
        if self._process:
            self._end(self._process.wait())
            if self.code or self._is_cut_short:
                self.state, self.code = State.INTERRUPTED, self.code or FAILED

    def fail(self, reason: str) -> None:
        """Set the state of a stack whose command cannot be started."""
        self.state, self.code, self.reason = State.FAILED, FAILED, reason

    def _start_next(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = self.launch(self._commands.pop(0), self.variables, self.log)

    def _end(self, code: int) -> None:
        self.code = code
        self._seconds, self._process = self.seconds, None
        if code:
            self.state = State.UNDECIDED if code == UNDECIDED else State.FAILED
            self.reason = self._last_error()
        else:
            self.state = State.DONE

    def _last_error(self) -> str:
        lines = [one for one in self.log.read_text(errors="replace").splitlines() if one.strip()]
        errors = [one.removeprefix("error: ") for one in lines if one.startswith("error: ")]
        return (errors or lines or [f"exit code {self.code}"])[-1].strip()
