"""Views of followed releases: a live table on a terminal, one line per change elsewhere."""

from collections.abc import Iterator, Sequence
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from commands.flagger_canary import INITIALIZING
from commands.follow import View, format_duration
from commands.followed_release import FollowedRelease


def view_of(console: Console) -> View:
    """The view that fits a console."""
    return LiveView(console) if console.is_terminal else LineView(console)


class LiveView:
    """A table that is updated in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Update the table."""
        self._live.update(table(releases))


class LineView:
    """One line per change of a release."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Print the releases whose progress has changed."""
        for one in releases:
            progress = progress_of(one)
            if self._shown.get(one.service) == progress:
                continue
            self._shown[one.service] = progress
            gates = ", ".join(gate for gate, _ in gates_of(one))
            line = f"{one.service} {one.version}: {progress}, {pods_of(one)}"
            self._console.print(
                f"{line}; {gates}" if gates else line,
                soft_wrap=True,
                highlight=False,
                markup=False,
            )


def table(releases: Sequence[FollowedRelease]) -> Table:
    """The releases, with the value of each gate beside its bound."""
    found = Table()
    for column in ("service", "version", "progress", "pods", "gates", "time left"):
        found.add_column(column, no_wrap=column != "gates")
    for one in releases:
        gates = Text()
        for shown, is_violated in gates_of(one):
            gates.append(f"{', ' if gates else ''}{shown}", "red" if is_violated else "")
        left = format_duration(one.seconds_left) if one.outcome is None else "-"
        found.add_row(one.service, one.version, progress_of(one), pods_of(one), gates, left)
    return found


def progress_of(release: FollowedRelease) -> str:
    """Weight and step of a release, or what it waits for."""
    if release.outcome is not None:
        return release.outcome.name.lower().replace("_", " ")
    state = release.state
    if state.phase in INITIALIZING:
        return "first deployment"
    if not release.has_started:
        return "paused" if state.is_paused else "waiting for Flagger"
    return state.progress


def pods_of(release: FollowedRelease) -> str:
    """Ready pods of both tracks."""
    state = release.state
    return f"pods stable {state.primary_pods}, canary {state.canary_pods}"


def gates_of(release: FollowedRelease) -> Iterator[tuple[str, bool]]:
    """Each gate with its value and bound, and whether it is violated."""
    for gate in release.gates:
        if gate.name in release.values:
            value = release.values[gate.name]
            yield gate.describe(value), value is None or gate.is_violated(value)
