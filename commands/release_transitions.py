"""Starts and ends of releases that an update of a stack deploys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from settings import ReleaseSettings


@dataclass(frozen=True)
class Transition:
    """Start or end of the release of one version."""

    kind: Literal["started", "promoted", "rolledBack", "replaced"]
    version: str
    previous: str | None = None
    """Version that served before, or that serves after a rollback."""
    weight: int | None = None
    """Percentage of the requests that a started version gets. ``None``: by its strategy."""


def transitions(
    deployed: Mapping[str, Any] | None, release: ReleaseSettings, *, is_rollback: bool
) -> Iterator[Transition]:
    """Transitions from the ``release`` of the last update to the one that is deployed now.

    ``deployed`` is ``None`` before the first update. Flagger decides the end of progressive
    releases, so only the first update has transitions of these.
    """
    if release.strategy == "progressive" and deployed is not None:
        return
    before = deployed or {}
    old_stable, new_stable = _version(before, "stable"), release.stable.version
    old_beside = _version(before, "canary") or _version(before, "idle")
    new_beside = release.beside.version if release.beside else None
    is_started = new_beside not in (None, old_beside, old_stable)
    was_live = (before.get("idle") or {}).get("wasLive", False)
    if old_beside not in (None, new_stable, new_beside) and not was_live:
        yield Transition("replaced" if is_started else "rolledBack", old_beside, new_stable)
    if new_stable != old_stable:
        if is_rollback and old_stable is not None:
            yield Transition("rolledBack", old_stable, new_stable)
        else:
            if new_stable != old_beside:
                yield Transition("started", new_stable, old_stable)
            yield Transition("promoted", new_stable, old_stable)
    if new_beside is not None and is_started:
        yield Transition("started", new_beside, new_stable, release.canary_weight)


def new_weight(deployed: Mapping[str, Any] | None, release: ReleaseSettings) -> int | None:
    """Weight of a running canary, if the update changes it."""
    before = (deployed or {}).get("canary") or {}
    canary = release.canary
    if canary is None or before.get("version") != canary.version:
        return None
    return canary.weight if before.get("weight") != canary.weight else None


def _version(release: Mapping[str, Any], key: str) -> str | None:
    return (release.get(key) or {}).get("version")
