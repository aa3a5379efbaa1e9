"""How each strategy releases a bad version in a drill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from settings import Color, Strategy

GATE_SECONDS = 180
"""`blueGreen.gateSeconds` in a drill of a service that has none."""


@dataclass(frozen=True)
class Options:
    """Parameters of a drill besides its strategy."""

    weight: int
    """Percentage of the requests for a canary."""
    live: Color
    """Color that serves, with `blueGreen`."""
    gate_seconds: int
    """Time for which a new color is observed."""


@dataclass(frozen=True)
class BadRelease:
    """Release of a bad version beside, or instead of, the good one."""

    release: Mapping[str, Any]
    """The keys of ``release`` in the stack file."""
    commands: Sequence[Sequence[str]]
    """Commands that release the version, one after the other."""
    deciding: str = ""
    """The command that promotes the version, or rolls it back by itself and fails. Empty: there is
    none."""


def bad_release(
    strategy: Strategy,
    good: Mapping[str, Any],
    bad: Mapping[str, Any],
    settings: Mapping[str, Any],
    options: Options,
) -> BadRelease:
    """Release of ``bad`` while ``good`` serves, both with version and digest.

    ``settings`` are those of the good version.
    """
    kept = {**good, "settings": settings}
    match strategy:
        case "rolling":
            return BadRelease({"stable": bad}, [("up",)])
        case "canary":
            release = {"stable": kept, "canary": {**bad, "weight": options.weight}}
            return BadRelease(release, [("up",)])
        case "blueGreen":
            gate = {"live": options.live, "gateSeconds": options.gate_seconds}
            release = {"stable": kept, "idle": bad, "blueGreen": gate}
            return BadRelease(release, [("up",), ("promote",)], deciding="promote")
        case "progressive":
            return BadRelease({"stable": bad}, [("up",)], deciding="up")
