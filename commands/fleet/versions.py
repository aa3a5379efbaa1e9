"""Versions of the services of a stack, by service and track."""

from collections.abc import Iterator, Mapping
from typing import Any

from commands.pulumi import Stack
from settings import Settings, merged_service

Versions = Mapping[str, Mapping[str, str]]
"""Version by service and track. The idle color is the track ``canary``."""


def declared_versions(settings: Settings) -> Versions:
    """Versions in a stack file."""
    return {
        name: {track: one.version for track, one in service.release.tracks.items()}
        for name, service in settings.services.items()
    }


def deployed_versions(stack: Stack) -> Versions:
    """Versions of the last successful update; empty before the first one, and after ``make down``.

    The outputs of a failed update have its versions, although the pods may be those from before.
    """
    sections = next(stack.configurations(), {}) if stack.services() else {}
    return {
        name: _released(merged_service(sections, name)) for name in sections.get("services", ())
    }


def _released(service: Mapping[str, Any]) -> Mapping[str, str]:
    release = service["release"]
    beside = release.get("canary") or release.get("idle")
    stable = {"stable": release["stable"]["version"]}
    return {**stable, **({"canary": beside["version"]} if beside else {})}


def describe(before: Versions, after: Versions | None = None) -> str:
    """Text like ``shop 1.0.0 -> 1.1.0, cart 2.0.0``. Without ``after``: of the versions alone."""
    return ", ".join(_changes(before, before if after is None else after)) or "-"


def _changes(before: Versions, after: Versions) -> Iterator[str]:
    for name in {**before, **after}:
        old, new = _text(before.get(name)), _text(after.get(name))
        yield f"{name} {old}" if old == new else f"{name} {old} -> {new}"


def _text(tracks: Mapping[str, str] | None) -> str:
    if not tracks:
        return "none"
    beside = f" (canary {tracks['canary']})" if "canary" in tracks else ""
    return f"{tracks.get('stable', '?')}{beside}"
