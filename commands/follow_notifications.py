"""Notifications of followed releases."""

from collections.abc import Sequence
from typing import Self

from commands.followed_release import FollowedRelease
from commands.notifications import Notifier, VersionChange


def change_of(release: FollowedRelease) -> VersionChange:
    """The change of a followed release for notifications."""
    served = release.before.served(release.service) if release.before else None
    previous = served[0] if served and served[0] != release.version else None
    return VersionChange(release.service, release.version, previous)


class NotifyingView:
    """Notifies of the start of each release, and of the steps that a command has seen."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._weights: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Notify of releases that have started, or whose weight has changed."""
        for one in releases:
            if one.outcome is not None or not one.has_started:
                continue
            if one.service not in self._weights:
                self._notifier.started(change_of(one), weight=one.weight)
            elif one.weight != self._weights[one.service]:
                self._notifier.stepped(change_of(one), one.weight)
            self._weights[one.service] = one.weight
