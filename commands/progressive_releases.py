"""Progressive releases of a stack around an update: which ones it starts, and how they end."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Console

from commands.errors import FAILED, CommandError
from commands.flagger_canary import IN_PROGRESS, INITIALIZING, Canaries, CanaryState
from commands.follow import POLL_SECONDS, Follower, View, explanation
from commands.follow_notifications import NotifyingView, change_of
from commands.follow_view import view_of
from commands.followed_release import FollowedRelease, Outcome
from commands.notifications import Notifier
from commands.release_records import Decision, ReleaseRecords, Result
from settings import Service, Settings

PAUSED = "it is paused: `make resume` continues it"
SETTLE_SECONDS = 5
"""Time after an interval in which Flagger begins what it has to do."""


def progressive(services: Iterable[Service]) -> Sequence[Service]:
    """The services whose releases Flagger decides."""
    return [one for one in services if one.release.strategy == "progressive"]


class ProgressiveReleases:
    """Progressive releases of a stack. Create it before an update."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        records: ReleaseRecords,
        notifier: Notifier | None = None,
    ) -> None:
        self._notifier = notifier
        self._settings = settings
        self._environment = environment
        self._records = records
        self.canaries = Canaries(settings, environment)
        self._started = datetime.now(UTC)
        self.before = self.read(settings.services.values())
        """State of each progressive service that is deployed, before the update."""

    def read(self, services: Iterable[Service]) -> Mapping[str, CanaryState]:
        """State of each progressive service that is deployed.

        Empty if the cluster cannot be read: Pulumi's own message is better.
        """
        try:
            return self.canaries.read(one.name for one in progressive(services))
        except CommandError:
            return {}

    def started(self, services: Iterable[Service]) -> list[FollowedRelease]:
        """Releases that the update has started, and those that were not at their end before it."""
        states = self.read(services)
        followed: list[FollowedRelease] = []
        for service in progressive(services):
            state, before = states.get(service.name), self.before.get(service.name)
            if state is None or not self._is_followed(service, state, before):
                continue
            version = service.release.stable.version
            one = FollowedRelease(service.name, version, self._started, before, state)
            if state.is_paused:
                one.outcome, one.reason = Outcome.UNDECIDED, PAUSED
            followed.append(one)
        return followed

    def _is_followed(
        self, service: Service, state: CanaryState, before: CanaryState | None
    ) -> bool:
        if state.phase in (*IN_PROGRESS, *INITIALIZING):
            return True
        if state.is_promoted:
            return False
        # The primary may also differ for another reason than a release.
        is_changed = before is None or before.revision != state.revision
        return is_changed or state.phase == "Failed" or self._is_recorded_as_running(service)

    def _is_recorded_as_running(self, service: Service) -> bool:
        record = self._records.newest(service.name, service.release.stable.version)
        return record is not None and record.result == "running"

    def record_start(self, releases: Iterable[FollowedRelease]) -> None:
        """Record that these releases run."""
        for one in releases:
            self._records.start(one.service, one.version, "progressive", one.started)

    def follow(self, releases: Sequence[FollowedRelease]) -> None:
        """Show the releases until each has an outcome, and notify of their steps."""
        views: list[View] = [view_of(Console())]
        if self._notifier:
            views.append(NotifyingView(self._notifier))
        Follower(self._settings, self._environment, views).follow(releases)

    def end(self, release: FollowedRelease) -> bool:
        """Explain and record the outcome of a release.

        Nothing is recorded if another command has decided it. Return True if Flagger has rolled
        the release back.
        """
        record = self._records.newest(release.service, release.version)
        is_running = record is None or record.result == "running"
        if release.is_replaced and record and not is_running:
            release.reason = f"{record.decided_by}: {record.reason}"
            if record.result == "rolledBack":
                release.outcome = Outcome.ROLLED_BACK
        since = datetime.fromisoformat(record.started) if record else None
        print("\n".join(explanation(release, self.canaries, since)))
        results: Mapping[Outcome | None, Result] = {
            Outcome.PROMOTED: "promoted",
            Outcome.ROLLED_BACK: "rolledBack",
        }
        result = results.get(release.outcome)
        if result is None or release.is_replaced or not is_running:
            return release.outcome is Outcome.ROLLED_BACK and not release.is_replaced
        served = release.state.served(release.service)
        self._records.end(
            release.service,
            release.version,
            "progressive",
            result=result,
            decision=Decision("Flagger", release.reason),
            digest=served[1] if served and result == "promoted" else None,
            previous=change_of(release).previous,
        )
        return result == "rolledBack"

    def settle(self, service: Service, releases: Sequence[FollowedRelease]) -> None:
        """Wait until Flagger has promoted a version without analysis, and does nothing more.

        ``releases`` of other services are left alone. Raises :class:`CommandError` if its pods do
        not get ready.
        """
        releases = [one for one in releases if one.service == service.name]
        for _ in range(2):  # Flagger may promote the same pods a second time
            self.follow(releases)
            for one in releases:
                if one.outcome is not Outcome.PROMOTED:
                    raise CommandError("\n".join(explanation(one, self.canaries)), FAILED)
            releases = self._begun_again(service)
            if not releases:
                return

    def _begun_again(self, service: Service) -> list[FollowedRelease]:
        interval = max((one.interval_seconds for one in self.read([service]).values()), default=0)
        deadline = time.monotonic() + interval + SETTLE_SECONDS
        while time.monotonic() < deadline:
            self.before = self.read([service])
            self._started = datetime.now(UTC)
            if releases := self.started([service]):
                return releases
            time.sleep(POLL_SECONDS)
        return []
