"""``release`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from settings.before_start import BeforeStart
from settings.errors import MISSING, FieldError
from settings.section import Section
from settings.string_formats import Digest, Version

Track = Literal["stable", "canary"]
Strategy = Literal["rolling", "canary"]
Weight = Annotated[int, Field(ge=0, le=100)]


TRACK_KEYS = (
    *("command", "args", "env", "envFrom", "ports", "pprofPort", "probes", "config", "configFile"),
    *("secrets", "volumes", "initContainers", "sidecars", "serviceAccount", "securityContext"),
    *("workload", "autoscaling", "podDisruptionBudget", "peers", "tracing"),
)
"""Keys of a service that are released together with a version: each track has its own."""


class ReleasedVersion(Section):
    """A version. It is built from the working tree unless it has a digest."""

    version: Version
    """Semantic version; also the image tag."""
    digest: Digest | None = None
    """Digest of the published image. A version with a digest is not built again."""
    before_start: bool = True
    """Runs `release.beforeStart` for the version. `make rollback` sets it to false."""


class StableVersion(ReleasedVersion):
    """Stable version."""

    settings: dict[str, Any] | None = None
    """Keys of the service as stable was released with them. `make canary` writes them, so that
    changes of the service reach stable with the promotion. Default: those of the service."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for key, value in (self.settings or {}).items():
            if key not in TRACK_KEYS:
                yield FieldError(f"settings.{key}", value, f"one of {', '.join(TRACK_KEYS)}")


class CanaryVersion(ReleasedVersion):
    """Canary version."""

    weight: Weight
    """Percentage of requests routed to the canary. Stable gets the rest."""


class ReleaseSettings(Section):
    """Versions that run, and the traffic split between them."""

    strategy: Strategy = "rolling"
    """`rolling` updates stable in place. `canary` allows a canary version beside it."""
    stable: StableVersion
    canary: CanaryVersion | None = None
    """Default: none, all requests are routed to stable."""
    before_start: BeforeStart | None = None
    """Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.canary is None:
            if self.stable.settings is not None:
                allowed = "no settings without release.canary: `make rollback` ends a canary"
                yield FieldError("stable.settings", self.stable.settings, allowed)
            return
        if self.strategy != "canary":
            yield FieldError("strategy", self.strategy, '"canary", or remove release.canary')
        if self.canary.version == self.stable.version:
            yield FieldError("canary.version", self.canary.version, "another version than stable's")
        if len(self.built) > 1:
            allowed = "that of the published image: only one version is built from the source"
            yield FieldError("stable.digest", MISSING, allowed)

    @property
    def tracks(self) -> dict[Track, ReleasedVersion]:
        """Version of each track that runs."""
        return {"stable": self.stable, **({"canary": self.canary} if self.canary else {})}

    @property
    def built(self) -> dict[Track, ReleasedVersion]:
        """Versions without a digest: they are built from the working tree. At most one."""
        return {track: one for track, one in self.tracks.items() if one.digest is None}

    @property
    def canary_weight(self) -> int:
        """Percentage of requests routed to the canary."""
        return self.canary.weight if self.canary else 0
