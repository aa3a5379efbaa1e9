"""A progressive release that a command follows until Flagger has decided it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from commands.flagger_canary import IN_PROGRESS, INITIALIZING, CanaryState, Gate

DETECTION_SECONDS = 60
"""Time in which Flagger sees a change, besides an interval."""


class Outcome(Enum):
    """End of a release. The value is the exit code of the command that follows it."""

    PROMOTED = 0
    ROLLED_BACK = 1
    UNDECIDED = 2
    """Not decided in time, or replaced by another release."""


@dataclass
class FollowedRelease:
    """One service whose release is in progress. :meth:`advance` takes its states one by one."""

    service: str
    version: str
    started: datetime
    before: CanaryState | None
    """State before the update. ``None``: the first deployment."""
    state: CanaryState
    gates: Sequence[Gate] = ()
    values: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    """Value of each gate by its name; ``None`` without data."""
    logs: Sequence[str] = ()
    """Last log lines of the new pods, which are deleted with a rollback."""
    violated: str = ""
    """The last violated gate with its value and bound."""
    outcome: Outcome | None = None
    reason: str = ""
    is_replaced: bool = False
    """True if another command has changed the release."""
    seconds: float = 0
    """Time since the update."""
    weight: int = 0
    """The last weight before the end."""
    _has_started: bool = False
    _deadline: float = 0

    def __post_init__(self) -> None:
        self._deadline = self.state.interval_seconds + DETECTION_SECONDS
        if self.state.phase in INITIALIZING:
            self._deadline += self.state.rollout_seconds

    @property
    def is_started(self) -> bool:
        """True if the update has started it, and not one before."""
        return self.before is None or self.before.revision != self.state.revision

    @property
    def seconds_left(self) -> float:
        """Time until the release counts as not decided."""
        return max(0.0, self._deadline - self.seconds)

    @property
    def has_started(self) -> bool:
        """True if Flagger has begun the release."""
        return self._has_started

    def advance(self, state: CanaryState | None, seconds: float) -> None:
        """Take the state at a time, in seconds since the update. ``None``: it was not readable."""
        self.seconds = seconds
        if state is not None:
            self._take(state)
        if self.outcome is None and seconds > self._deadline:
            self.outcome, self.reason = Outcome.UNDECIDED, self._delay()

    def _take(self, state: CanaryState) -> None:
        revision, self.state = self.state.revision, state
        if state.revision != revision:
            self.outcome, self.is_replaced = Outcome.UNDECIDED, True
            self.reason = "another command has changed the release"
        elif state.phase in IN_PROGRESS:
            if not self._has_started:
                self._has_started = True
                self._deadline = self.seconds + state.deadline_seconds
            if state.phase not in ("Promoting", "Finalising"):
                self.weight = state.weight
        elif state.phase not in INITIALIZING and self._is_new_decision(state):
            self._decide(state)

    def _is_new_decision(self, state: CanaryState) -> bool:
        """True if the phase was reached after the update: the pods of the last one stay there."""
        before = self.before
        if self._has_started or before is None or before.phase_since != state.phase_since:
            return True
        # A command was interrupted after its update, and Flagger has decided since.
        return before.revision == state.revision and not state.is_paused

    def _decide(self, state: CanaryState) -> None:
        if state.phase == "Failed":
            self.outcome = Outcome.ROLLED_BACK
            self.reason = self.violated or state.message
        # With the analysis skipped, Flagger does not wait for the primary.
        elif state.is_promoted and state.primary_pods.is_rolled_out:
            self.outcome = Outcome.PROMOTED

    def _delay(self) -> str:
        state = self.state
        if state.is_paused:
            return "it is paused: `make resume` continues it"
        if not self._has_started:
            return "Flagger has not begun it: is its pod running?"
        if state.is_waiting:
            return "it waits for an approval: `make resume` gives it"
        return f"it has not ended: {state.progress}"
