"""How each strategy releases a bad version in a drill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from settings import Strategy


@dataclass(frozen=True)
class BadRelease:
    """Release of a bad version beside, or instead of, the good one."""

    release: Mapping[str, Any]
    """The keys of ``release`` in the stack file."""
    commands: Sequence[Sequence[str]]
    """Commands that release the version, one after the other."""
    deciding: str = ""
    """The command that promotes the version or rolls it back by itself. Empty: there is none."""


def bad_release(
    strategy: Strategy,
    good: Mapping[str, Any],
    bad: Mapping[str, Any],
    settings: Mapping[str, Any],
    weight: int,
) -> BadRelease:
    """Release of ``bad`` while ``good`` serves, both with version and digest.

    ``settings`` are those of the good version, ``weight`` is that of a canary.
    """
    kept = {**good, "settings": settings}
    match strategy:
        case "rolling":
            return BadRelease({"stable": bad}, [("up",)])
        case "canary":
            release = {"stable": kept, "canary": {**bad, "weight": weight}}
            return BadRelease(release, [("up",)])
        case "blueGreen":
            release = {"stable": kept, "idle": bad}
            return BadRelease(release, [("up",), ("promote", "--force=1")], deciding="promote")
        case "progressive":
            return BadRelease({"stable": bad}, [("up",)], deciding="up")
