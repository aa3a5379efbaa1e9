"""Follows progressive releases until Flagger has decided them."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Protocol, Self

from commands.control_characters import escape_control_characters
from commands.errors import CommandError
from commands.flagger_canary import IN_PROGRESS, Canaries, CanaryState, Gate
from commands.followed_release import FollowedRelease, Outcome
from commands.observability_client import ObservabilityClient
from settings import Settings

POLL_SECONDS = 5
"""Flagger checks every 10 s at most, and each start of kubectl takes a third of a second of CPU."""
GATE_SECONDS = 5
"""Time between two queries of the gates' values."""
LOG_SECONDS = 10
"""Time between two looks at the log lines of new pods that have problems."""
EVENTS = 8
"""Number of events that an explanation has."""
_INDENT = "  "


class View(Protocol):
    """Shows followed releases, or tells others of them. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Show the state of the releases. Called after each change, and every few seconds."""
        ...


class Follower:
    """Follows the progressive releases of a stack, several at once."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], views: Sequence[View]
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._canaries = Canaries(settings, environment)
        self._views = views

    def follow(self, releases: Sequence[FollowedRelease]) -> None:
        """Return when each release has an outcome."""
        start = datetime.now(UTC)
        offsets = {one.service: (start - one.started).total_seconds() for one in releases}
        began = time.monotonic()
        last_logs = dict.fromkeys(offsets, -float(LOG_SECONDS))
        with ExitStack() as stack:
            for context in (*self._views, self._gate_values(releases)):
                stack.enter_context(context)
            while any(one.outcome is None for one in releases):
                states = self._states(releases)
                elapsed = time.monotonic() - began
                for one in releases:
                    if one.outcome is not None:
                        continue
                    self._note_problems(one, last_logs, elapsed)
                    one.advance(states.get(one.service), offsets[one.service] + elapsed)
                for view in self._views:
                    view.show(releases)
                if any(one.outcome is None for one in releases):
                    time.sleep(POLL_SECONDS)

    def _states(self, releases: Sequence[FollowedRelease]) -> Mapping[str, CanaryState]:
        try:
            return self._canaries.read(one.service for one in releases if one.outcome is None)
        except CommandError:
            return {}  # the API server may be down for a while

    def _note_problems(
        self, release: FollowedRelease, last_logs: dict[str, float], elapsed: float
    ) -> None:
        """Keep the violated gate, and the log lines of pods that are about to be deleted."""
        state = release.state
        has_problem = state.failed_checks > 0 or state.canary_pods.ready < state.canary_pods.desired
        if state.phase not in IN_PROGRESS or not has_problem:
            return
        for gate in release.gates:
            value = release.values.get(gate.name)
            if state.failed_checks and value is not None and gate.is_violated(value):
                release.violated = gate.describe(value)
        if elapsed - last_logs[release.service] < LOG_SECONDS:
            return
        last_logs[release.service] = elapsed
        try:
            release.logs = self._canaries.pod_logs(release.service) or release.logs
        except CommandError:
            return

    def _gate_values(self, releases: Sequence[FollowedRelease]) -> "GateValues":
        queried: list[FollowedRelease] = []
        if self._settings.observability.mode == "bundled":
            for one in releases:
                try:
                    one.gates = self._canaries.gates(one.state)
                except CommandError as error:
                    print(f"the gates of {one.service} are not known: {error}")
                queried.extend([one] if one.gates else [])
        return GateValues(self._settings, self._environment, queried)


class GateValues:
    """Queries the values of the gates in a thread, because a server that is down responds late."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        releases: Sequence[FollowedRelease],
    ) -> None:
        self._client = lambda: ObservabilityClient(settings, environment)
        self._releases = releases
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        if self._releases:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._releases:
            self._thread.join(timeout=GATE_SECONDS)

    def _run(self) -> None:
        try:
            with self._client() as client:
                while not self._end.is_set():
                    for one in self._releases:
                        one.values = {gate.name: _value(client, gate) for gate in one.gates}
                    self._end.wait(GATE_SECONDS)
        except CommandError:
            return  # the view shows gates without values


def _value(client: ObservabilityClient, gate: Gate) -> float | None:
    try:
        found = client.query(gate.query)
    except CommandError:
        return None
    return found[0].value if found else None


def explanation(
    release: FollowedRelease, canaries: Canaries, since: datetime | None = None
) -> Sequence[str]:
    """Lines that say why a release was rolled back or not decided.

    ``since`` is the time of its start, if that is not the one of the command that follows it.
    """
    name = f"{release.service} {release.version}"
    after = f"after {format_duration(release.seconds)}"
    match release.outcome:
        case Outcome.PROMOTED:
            return [f"{name} is promoted {after}"]
        case Outcome.ROLLED_BACK:
            weight = f", at {release.weight} %" if release.weight else ""
            lines = [f"{name} was rolled back {after}{weight}: {release.reason}"]
        case _:
            lines = [f"{name} is not decided {after}: {release.reason}"]
    try:
        events = canaries.events(release.state, since or release.started)
    except CommandError as error:
        events = [str(error)]
    for title, texts in (("events of Flagger:", events[-EVENTS:]), ("new pods:", release.logs)):
        shown = [f"{_INDENT}{escape_control_characters(one)}" for one in texts]
        lines += [title, *shown] if shown else []
    return lines


def format_duration(seconds: float) -> str:
    """Format a duration such as ``45 s`` or ``2 min 10 s``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
