"""Service level objective of one service: its series in Prometheus and the limits derived from it.

:mod:`components.observability.rules.slo` records the series. Windows and burn rates are those of
the Google SRE Workbook, chapter 5 "Alerting on SLOs", section 6 "Multiwindow, Multi-Burn-Rate
Alerts" (sre.google/workbook/alerting-on-slos). A burn rate of 1 uses up the error budget in
exactly the SLO's window. With a window of 30 days, 1 hour at a burn rate of 14.4 uses 2 percent of
the budget, 6 hours at 6 use 5 percent (page), 1 day at 3 and 3 days at 1 use 10 percent (ticket).
The short window, a twelfth of the long one, resolves the alert soon after the errors stop.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from components.observability.queries import selector
from settings import SloSettings, Track

Sli = Literal["availability", "latency"]
"""A request is bad if it gets a 5xx status (availability) or exceeds the threshold (latency)."""
Window = Literal["5m", "30m", "1h", "2h", "6h", "1d", "3d"]

FAST_WINDOWS: tuple[Window, ...] = ("5m", "30m", "1h")
SLOW_WINDOWS: tuple[Window, ...] = ("2h", "6h")
LONG_WINDOWS: tuple[Window, ...] = ("1d", "3d")
_MAX_BAD_RATIO = Decimal("0.9")
"""Upper bound of alert thresholds: with a low objective, burn rate times budget can exceed 1."""


@dataclass(frozen=True)
class BurnRate:
    """Burn rate that alerts if both the long and the short window exceed it."""

    long_window: Window
    short_window: Window
    factor: Decimal
    severity: Literal["page", "ticket"]


BURN_RATES = (
    BurnRate("1h", "5m", Decimal("14.4"), "page"),
    BurnRate("6h", "30m", Decimal(6), "page"),
    BurnRate("1d", "2h", Decimal(3), "ticket"),
    BurnRate("3d", "6h", Decimal(1), "ticket"),
)
"""From fast to slow."""


class CanaryHealth(IntEnum):
    """Result of the canary's promotion gate; the value of its series."""

    NOT_ENOUGH_DATA = -1
    """The canary got too few requests to decide."""
    UNHEALTHY = 0
    """The canary's bad ratio is much higher than stable's and exceeds the fastest burn rate."""
    HEALTHY = 1
    """Enough requests, and not unhealthy."""


@dataclass(frozen=True)
class Slo:
    """Service level objective of a service."""

    service: str
    """Value of the label ``service``."""
    namespace: str
    """Value of the label ``namespace``."""
    settings: SloSettings

    @property
    def slis(self) -> tuple[Sli, ...]:
        """Indicators that have an objective."""
        return ("availability", "latency") if self.settings.latency else ("availability",)

    @property
    def window(self) -> str:
        """Rolling window of the SLO as a PromQL duration, such as ``30d``."""
        return f"{self.settings.window_days}d"

    def objective(self, sli: Sli) -> Decimal:
        """Required ratio of good requests, such as 0.999."""
        latency = self.settings.latency
        percent = latency.objective if sli == "latency" and latency else self.settings.availability
        return Decimal(str(percent)) / 100

    def error_budget(self, sli: Sli) -> Decimal:
        """Allowed ratio of bad requests, such as 0.001."""
        return 1 - self.objective(sli)

    def max_bad_ratio(self, sli: Sli, burn_rate: Decimal) -> Decimal:
        """Ratio of bad requests at a burn rate."""
        return min(burn_rate * self.error_budget(sli), _MAX_BAD_RATIO)

    def selector(self, **labels: str | None) -> str:
        """Label matchers of the service's series, without braces."""
        return selector(self.namespace, self.service, **labels)

    def requests(self, window: str) -> str:
        """PromQL: requests per second."""
        return self._series(f"slo:requests:rate{window}")

    def bad_requests(self, window: str, sli: Sli) -> str:
        """PromQL: bad requests per second."""
        return self._series(f"slo:bad_requests:rate{window}", sli=sli)

    def bad_ratio(self, window: str, sli: Sli) -> str:
        """PromQL: ratio of bad requests. No series without requests."""
        return self._series(f"slo:bad_requests:ratio_rate{window}", sli=sli)

    def burn_rate(self, window: str, sli: Sli) -> str:
        """PromQL: burn rate of the error budget."""
        return f"{self.bad_ratio(window, sli)} / {self.error_budget(sli):f}"

    def budget_remaining(self, sli: Sli) -> str:
        """PromQL: remaining fraction of the window's error budget; negative if exceeded."""
        return self._series("slo:error_budget_remaining:ratio", sli=sli)

    def track_requests(self, window: str, track: Track | None = None) -> str:
        """PromQL: requests per second by track, or of one track."""
        return self._series(f"slo:track_requests:rate{window}", track=track)

    def track_bad_requests(self, window: str, sli: Sli, track: Track | None = None) -> str:
        """PromQL: bad requests per second by track, or of one track."""
        return self._series(f"slo:track_bad_requests:rate{window}", sli=sli, track=track)

    def track_bad_ratio(self, window: str, sli: Sli, track: Track | None = None) -> str:
        """PromQL: ratio of bad requests by track, or of one track."""
        return self._series(f"slo:track_bad_requests:ratio_rate{window}", sli=sli, track=track)

    @property
    def canary_health(self) -> str:
        """PromQL: :class:`CanaryHealth` of the canary. No series without a canary."""
        return self._series("slo:canary_gate:state")

    @property
    def canary_regression(self) -> str:
        """PromQL: the canary's ratio of bad requests by ``sli``, if it is unhealthy."""
        return self._series("slo:canary_gate:regression")

    def _series(self, name: str, **labels: str | None) -> str:
        return f"{name}{{{self.selector(**labels)}}}"
