"""``release`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from settings.before_start import BeforeStart
from settings.blue_green import BlueGreen, Color
from settings.errors import MISSING, FieldError
from settings.progressive import Progressive
from settings.section import Section
from settings.string_formats import Digest, Version

Track = Literal["stable", "canary"]
"""Role of a version: stable serves, the canary is the version beside it."""
Strategy = Literal["rolling", "canary", "blueGreen", "progressive"]
Weight = Annotated[int, Field(ge=0, le=100)]
OBJECT_TRACKS = ("stable", "canary", *get_args(Color), "progressive")
"""Values of :meth:`ReleaseSettings.object_track` with any strategy."""

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


class VersionWithSettings(ReleasedVersion):
    """A version that can have settings of its own."""

    settings: dict[str, Any] | None = None
    """Keys of the service as the version was released with them. The release commands write them,
    so that changes of the service reach the next version only. Default: those of the service."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for key, value in (self.settings or {}).items():
            if key not in TRACK_KEYS:
                yield FieldError(f"settings.{key}", value, f"one of {', '.join(TRACK_KEYS)}")


class IdleVersion(VersionWithSettings):
    """Version of the color that is not live: the next version, or the previous one."""

    was_live: bool = False
    """The version was live before: `make rollback` makes it live again. `make promote` sets it."""


class StableVersion(VersionWithSettings):
    """Stable version."""

    analysis: bool = True
    """With `progressive`: false promotes the version without steps and gates. `make promote` and
    `make rollback` set it, and remove it when the version serves all requests."""


class CanaryVersion(ReleasedVersion):
    """Canary version."""

    weight: Weight
    """Percentage of requests routed to the canary. Stable gets the rest."""


class ReleaseSettings(Section):
    """Versions that run, and the traffic split between them."""

    strategy: Strategy = "rolling"
    """`rolling` updates stable in place. `canary` allows a canary version beside it, with a weight
    set by hand. `blueGreen` has two colors, of which one is live. `progressive` lets Flagger raise
    the weight of a new version, and promote it or roll it back."""
    stable: StableVersion
    """With `blueGreen`, the version of the live color. With `progressive`, the version to promote.
    """
    canary: CanaryVersion | None = None
    """Default: none, all requests are routed to stable."""
    idle: IdleVersion | None = None
    """With `blueGreen`: the version of the color that is not live. Default: none."""
    blue_green: BlueGreen = BlueGreen.model_construct()
    progressive: Progressive = Progressive.model_construct()
    before_start: BeforeStart | None = None
    """Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        beside = "idle" if self.strategy == "blueGreen" else "canary"
        for key, one, strategy in (
            ("canary", self.canary, "canary"),
            ("idle", self.idle, "blueGreen"),
        ):
            if one is None:
                continue
            if self.strategy != strategy:
                allowed = f'"{strategy}", or remove release.{key}'
                yield FieldError("strategy", self.strategy, allowed)
            if one.version == self.stable.version:
                yield FieldError(f"{key}.version", one.version, "another version than stable's")
        if self.strategy != "blueGreen" and self.blue_green != BlueGreen():
            allowed = '"blueGreen", or remove release.blueGreen'
            yield FieldError("strategy", self.strategy, allowed)
        if self.beside is None and self.stable.settings is not None:
            allowed = f"no settings without release.{beside}: `make rollback` ends the release"
            yield FieldError("stable.settings", self.stable.settings, allowed)
        if len(self.built) > 1:
            allowed = "that of the published image: only one version is built from the source"
            yield FieldError("stable.digest", MISSING, allowed)

    @property
    def beside(self) -> CanaryVersion | IdleVersion | None:
        """Version beside stable: the canary, or that of the idle color."""
        return self.canary or self.idle

    @property
    def replaced(self) -> ReleasedVersion | None:
        """The older one of two versions: stable, or that of the idle color after the promotion.

        ``None``: there is only one. It has the settings that it was released with.
        """
        return self.idle if self.is_promoted else self.stable if self.beside else None

    @property
    def is_promoted(self) -> bool:
        """True if the idle color has the version that was live before, which can be restored."""
        return self.idle is not None and self.idle.was_live

    @property
    def tracks(self) -> dict[Track, ReleasedVersion]:
        """Version of each track that the program runs. The idle color is the track ``canary``."""
        return {"stable": self.stable, **({"canary": self.beside} if self.beside else {})}

    @property
    def versions(self) -> dict[str, ReleasedVersion]:
        """Version of each track by its key in the stack file."""
        return {"idle" if one is self.idle else track: one for track, one in self.tracks.items()}

    def object_track(self, track: Track) -> str:
        """Value of the label ``track`` of a track's pods, and suffix of its objects' names.

        Labels of running pods cannot change, so the colors keep theirs when the live one changes.
        """
        match self.strategy:
            case "blueGreen":
                return self.blue_green.live if track == "stable" else self.blue_green.idle
            case "progressive":
                return "progressive"
        return track

    @property
    def built(self) -> dict[Track, ReleasedVersion]:
        """Versions without a digest: they are built from the working tree. At most one."""
        return {track: one for track, one in self.tracks.items() if one.digest is None}

    @property
    def canary_weight(self) -> int:
        """Percentage of requests routed to the canary."""
        return self.canary.weight if self.canary else 0
