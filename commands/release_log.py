"""Log of the releases that an update deploys: their records in the cluster."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from commands.notifications import Notifier, VersionChange
from commands.release_records import Decision, ReleaseRecords, Result, current_user
from commands.release_transitions import Transition, new_weight, transitions
from settings import Service

_RESULTS: Mapping[str, Result] = {
    "replaced": "failed",
    "rolledBack": "rolledBack",
    "promoted": "promoted",
}
"""Results by the kind of a transition that ends a release."""


@dataclass(frozen=True)
class _Change:
    service: Service
    transitions: Sequence[Transition]
    is_first: bool
    """True for the first deployment of the service."""


class ReleaseLog:
    """Records the transitions of one update: starts before it, ends after it.

    ``notifier`` gets changed weights; the records notify it of the transitions.

    ``deployed`` has the ``release`` of each service in the last update.
    """

    def __init__(
        self,
        records: ReleaseRecords,
        services: Mapping[str, Service],
        deployed: Mapping[str, Mapping[str, Any] | None],
        *,
        is_rollback: bool,
        decision: Decision | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self._records = records
        self.services = services.values()
        self._notifier = notifier
        self._weights = [
            (service, weight)
            for name, service in services.items()
            if (weight := new_weight(deployed.get(name), service.release)) is not None
        ]
        self.is_deployed = False
        """True if the history of the stack has the releases: a part of the update has succeeded."""
        self._decision = decision or Decision(current_user())
        self._started = datetime.now(UTC)
        self._changes = [
            _Change(service, found, deployed.get(name) is None)
            for name, service in services.items()
            if (
                found := [
                    *transitions(deployed.get(name), service.release, is_rollback=is_rollback)
                ]
            )
        ]

    def start(self) -> None:
        """Record the started releases. Call it before the update.

        Before the first update of a stack there is no namespace for the records.
        """
        for service, one in self._started_releases():
            self._records.start(
                service.name,
                one.version,
                service.release.strategy,
                self._started,
                previous=one.previous,
                weight=one.weight,
            )

    def succeed(self, digests: Callable[[], Mapping[str, Mapping[str, str]]]) -> None:
        """Record the ends of releases after the update, and notify of changed weights.

        ``digests`` are by service and version.
        """
        known = digests() if self._of("promoted") else {}
        for kind, result in _RESULTS.items():
            for service, one in self._of(kind):
                digest = known.get(service.name, {}).get(one.version)
                self._end(service, one, result, self._reason(one), digest)
        for service, weight in self._weights:
            if self._notifier and service.release.canary:
                canary, stable = service.release.canary.version, service.release.stable.version
                self._notifier.stepped(VersionChange(service.name, canary, stable), weight)

    def fail(self) -> None:
        """Record that the update has failed. Releases that it would end are still running.

        Nothing is recorded if a part of the update has deployed the releases (:attr:`is_deployed`):
        the next update goes on with them.
        """
        if self.is_deployed:
            return
        for service, one in self._started_releases():
            self._end(service, one, "failed", "the update failed", None)

    def _started_releases(self) -> Sequence[tuple[Service, Transition]]:
        later = [change.service for change in self._changes if not change.is_first]
        return [(service, one) for service, one in self._of("started") if service in later]

    def _of(self, kind: str) -> Sequence[tuple[Service, Transition]]:
        return [
            (change.service, one)
            for change in self._changes
            for one in change.transitions
            if one.kind == kind
        ]

    def _end(
        self, service: Service, one: Transition, result: Result, reason: str, digest: str | None
    ) -> None:
        decision = Decision(self._decision.by, reason)
        strategy = service.release.strategy
        self._records.end(
            service.name,
            one.version,
            strategy,
            result=result,
            decision=decision,
            digest=digest,
            previous=one.previous,
        )

    def _reason(self, one: Transition) -> str:
        if self._decision.reason:
            return self._decision.reason
        match one.kind:
            case "rolledBack":
                return f"{one.previous} serves"
            case "replaced":
                return "replaced by another version"
        return ""
