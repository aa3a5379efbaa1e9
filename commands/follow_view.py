"""Views of followed releases: a live one on a terminal, one line per change elsewhere."""

from collections.abc import Iterator, Sequence
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from commands.flagger_canary import INITIALIZING
from commands.follow import View, format_duration
from commands.followed_release import FollowedRelease
from commands.live_display import LiveDisplay


def view_of(console: Console) -> View:
    """The view that fits a console."""
    return LiveView(console) if console.is_terminal else LineView(console)


class LiveView(LiveDisplay):
    """Lines that are updated in place."""

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Update the lines."""
        self.update(blocks(releases))


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


def blocks(releases: Sequence[FollowedRelease]) -> Group:
    """A line for each release, and below it the value of each gate beside its bound."""
    shown: list[RenderableType] = []
    for one in releases:
        line = Text(f"{one.service} {one.version}", "bold")
        line.append(f": {progress_of(one)}, {pods_of(one)}", "not bold")
        if one.outcome is None:
            line.append(f", {format_duration(one.seconds_left)} left", "not bold")
        gates = [
            Text(gate, "red" if is_violated else "", no_wrap=True)
            for gate, is_violated in gates_of(one)
        ]
        shown += [line, Padding(Columns(gates, padding=(0, 3)), (0, 0, 0, 2))]
    return Group(*shown)


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
