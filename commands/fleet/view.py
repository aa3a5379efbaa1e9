"""Views of the stacks of a fleet: a live table on a terminal, one line per change elsewhere."""

from collections.abc import Sequence
from typing import Protocol, Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.console import new_console
from commands.control_characters import escape_control_characters
from commands.fleet.stack_job import StackJob, State
from commands.follow import format_duration
from commands.live_display import LiveDisplay

_STYLES = {
    State.DONE: "green",
    State.FAILED: "red",
    State.ROLLED_BACK: "red",
    State.REFUSED: "red",
    State.UNDECIDED: "yellow",
    State.INTERRUPTED: "yellow",
}


class View(Protocol):
    """Shows the stacks. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, jobs: Sequence[StackJob]) -> None:
        """Show the states of all stacks. Called several times per second."""
        ...

    def note(self, text: str) -> None:
        """Show what the command waits for."""
        ...


def new_view() -> View:
    """Return the view that fits stdout."""
    console = new_console()
    return LiveView(console) if console.is_terminal else LineView(console)


class LiveView(LiveDisplay):
    """Table that is updated in place."""

    def show(self, jobs: Sequence[StackJob]) -> None:
        self.update(table(jobs))

    def note(self, text: str) -> None:
        print_line(self._live.console, text)


class LineView:
    """One line per change of a state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, State] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, jobs: Sequence[StackJob]) -> None:
        for job in jobs:
            if self._shown.get(job.stack, State.WAITING) is not job.state:
                self._shown[job.stack] = job.state
                print_line(self._console, _line(job))

    def note(self, text: str) -> None:
        print_line(self._console, text)


def _line(job: StackJob) -> str:
    parts = [job.state.value]
    if job.seconds >= 1:
        parts.append(format_duration(job.seconds))
    parts += [part for part in (job.versions, job.reason) if part]
    return f"{job.member.wave} {job.stack}: {', '.join(parts)}"


def table(jobs: Sequence[StackJob]) -> Table:
    """The states of all stacks."""
    shown = Table()
    for column in ("wave", "region", "stack", "state", "versions", "time"):
        shown.add_column(column, no_wrap=column != "versions")
    for job in jobs:
        shown.add_row(
            job.member.wave,
            job.member.region or "-",
            job.stack,
            Text(job.state.value, _STYLES.get(job.state, "")),
            Text(job.versions),
            format_duration(job.seconds) if job.seconds else "-",
        )
    return shown


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print text of commands and files, unchanged except for control characters."""
    console.print(
        escape_control_characters(text, keep="\t\n"),
        style=style,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
