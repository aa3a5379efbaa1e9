"""What routing is to achieve, whatever serves it: which share of whose requests goes where."""

from dataclasses import dataclass

from settings import CanaryTesters


@dataclass(frozen=True)
class Backend:
    """A Service that a share of the requests goes to."""

    track: str
    service: str
    """Name of the Service."""
    port: int
    weight: int
    """Percent of requests."""
    is_running: bool = True
    """Whether a version runs behind the Service now."""


@dataclass(frozen=True)
class TrafficSplit:
    """Requests for ``host`` below ``paths``, shared between ``stable`` and perhaps ``canary``."""

    host: str
    paths: tuple[str, ...]
    backends: tuple[Backend, ...]
    testers: CanaryTesters
    """How a tester chooses a track: the value ``always`` is the canary, ``never`` stable."""

    def __post_init__(self) -> None:
        total = sum(backend.weight for backend in self.backends)
        if total != 100 or any(backend.weight < 0 for backend in self.backends):  # noqa: PLR2004
            weights = [backend.weight for backend in self.backends]
            raise ValueError(f"weights are {weights}: use percentages that add up to 100")
        if not 1 <= len(self.backends) <= 2:  # noqa: PLR2004
            raise ValueError(f"there are {len(self.backends)} backends: use stable, or two")

    @property
    def stable(self) -> Backend:
        """The backend that is always there."""
        return self.backends[0]

    @property
    def canary(self) -> Backend | None:
        """The other one, where the release strategy has it."""
        return self.backends[1] if len(self.backends) > 1 else None

    @property
    def open_to(self) -> CanaryTesters:
        """How testers choose now: by nothing where no canary runs that they could reach."""
        is_running = self.canary is not None and self.canary.is_running
        return self.testers if is_running else CanaryTesters(header=None, cookie=None)
