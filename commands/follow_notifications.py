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
    """Notifies of the steps that a command has seen. The records notify of start and end."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._weights: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, releases: Sequence[FollowedRelease]) -> None:
        """Notify of releases whose weight has changed."""
        for one in releases:
            if one.outcome is None and one.weight != self._weights.get(one.service, 0):
                self._notifier.stepped(change_of(one), one.weight)
                self._weights[one.service] = one.weight
