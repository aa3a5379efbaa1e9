"""Events of the releases that an update has changed."""

from collections.abc import Mapping
from typing import Any

from semver import Version

from commands.notifications.notifier import Notifier, VersionChange


def notify_update(
    notifier: Notifier,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    is_rollback: bool = False,
    reason: str = "",
) -> None:
    """Notify of each release that differs in the outputs of two updates.

    ``before`` and ``after`` are the tracks by service. A stable version that is replaced by a lower
    one is rolled back.
    """
    for name, tracks in after.items():
        _notify_service(
            notifier, name, before.get(name, {}), tracks, is_rollback=is_rollback, reason=reason
        )


def _notify_service(
    notifier: Notifier,
    name: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    is_rollback: bool,
    reason: str,
) -> None:
    was_stable, stable = _version(before, "stable"), after["stable"]["version"]
    was_canary, canary = _version(before, "canary"), _version(after, "canary")
    if stable != was_stable:
        if was_stable and (is_rollback or Version.parse(stable) < Version.parse(was_stable)):
            notifier.rolled_back(VersionChange(name, was_stable, stable), reason=reason)
        else:
            notifier.promoted(VersionChange(name, stable, was_stable), reason=reason)
    elif was_canary and not canary:
        notifier.rolled_back(VersionChange(name, was_canary, stable), reason=reason)
    if canary is None:
        return
    change, weight = VersionChange(name, canary, stable), after["canary"].get("weight")
    # With blue-green, stable and canary change places.
    if canary not in (was_canary, was_stable):
        notifier.started(change, weight=weight)
    elif canary == was_canary and weight != before["canary"].get("weight"):
        notifier.stepped(change, weight)


def _version(tracks: Mapping[str, Any], track: str) -> str | None:
    return (tracks.get(track) or {}).get("version")
