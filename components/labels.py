"""The labels of every object, and the selectors that are derived from them."""

from dataclasses import dataclass

Labels = dict[str, str]

_RECOMMENDED = "app.kubernetes.io"
COMMON_LABELS: Labels = {
    f"{_RECOMMENDED}/part-of": "slipway",
    f"{_RECOMMENDED}/managed-by": "pulumi",
}
"""What every object has that the program makes."""


@dataclass(frozen=True)
class Identity:
    """Which service an object belongs to, and which track of it.

    ``instance`` tells two deployments of the same service apart. ``version`` is a label only: a
    selector never holds it, for selectors cannot be changed and versions do.
    """

    name: str
    instance: str
    track: str | None = None
    version: str | None = None

    @property
    def object_name(self) -> str:
        """What the track's objects are called: ``beacon-canary``."""
        return f"{self.name}-{self.track}" if self.track else self.name

    @property
    def selector(self) -> Labels:
        """What finds the pods."""
        track = {"track": self.track} if self.track else {}
        return {
            f"{_RECOMMENDED}/name": self.name,
            f"{_RECOMMENDED}/instance": self.instance,
            **track,
        }

    @property
    def labels(self) -> Labels:
        """The selector and what people and tools want to know besides."""
        version = {f"{_RECOMMENDED}/version": self.version} if self.version else {}
        return {**self.selector, **COMMON_LABELS, **version}
