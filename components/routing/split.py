"""Desired traffic split, independent of the back end that implements it."""

from dataclasses import dataclass

from settings import CanaryOverride


@dataclass(frozen=True)
class Backend:
    """Service of a track and its weight."""

    track: str
    service: str
    """Name of the Service."""
    port: int
    """Port of the Service."""
    weight: int
    """Percentage of requests."""
    is_running: bool = True
    """True if the Service has a workload."""


@dataclass(frozen=True)
class TrafficSplit:
    """Weights of ``stable`` and, if there is a route to it, of ``canary`` for hosts and paths.

    Raises :class:`ValueError` if the weights do not add up to 100.
    """

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    """Path prefixes, on every host."""
    backends: tuple[Backend, ...]
    """``stable`` first. Requests to a preview host have one backend."""
    canary_override: CanaryOverride
    """Header and cookie that select the backend: ``always`` is the canary, ``never`` is stable."""

    def __post_init__(self) -> None:
        weights = [backend.weight for backend in self.backends]
        if sum(weights) != 100 or min(weights) < 0:  # noqa: PLR2004
            raise ValueError(f"weights are {weights}: use percentages that add up to 100")
        if len(weights) > 2:  # noqa: PLR2004
            raise ValueError(f"there are {len(weights)} backends: use stable, or stable and canary")

    @property
    def stable(self) -> Backend:
        """Backend of the stable track."""
        return self.backends[0]

    @property
    def canary(self) -> Backend | None:
        """Backend of the canary track. ``None``: no route to a canary."""
        return self.backends[1] if len(self.backends) > 1 else None

    @property
    def active_override(self) -> CanaryOverride:
        """``canary_override`` while a canary is running; otherwise neither header nor cookie."""
        is_running = self.canary is not None and self.canary.is_running
        return self.canary_override if is_running else CanaryOverride(header=None, cookie=None)
