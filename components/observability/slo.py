"""Service level objective of a service.

Windows and burn rates are those of the Google SRE Workbook, chapter 5 "Alerting on SLOs", section 6
"Multiwindow, Multi-Burn-Rate Alerts" (sre.google/workbook/alerting-on-slos). A burn rate of 1 uses
up the error budget in exactly the SLO's window. With a window of 30 days, 1 hour at a burn rate of
14.4 uses 2 percent of the budget, 6 hours at 6 use 5 percent (page), 1 day at 3 and 3 days at 1 use
10 percent (ticket). The short window, a twelfth of the long one, resolves the alert soon after the
errors stop.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from components.observability.queries import DURATION, ERRORS, WINDOW, selector
from components.observability.request_metrics import RequestMetrics, bucket_label
from settings import SloSettings

Sli = Literal["availability", "latency"]
"""Service level indicator. A request is bad if it fails (availability) or is slower than the
threshold (latency)."""

WINDOWS = (WINDOW, "30m", "1h", "2h", "6h", "1d", "3d")
"""Windows of the alerts."""
SECONDS = {
    "5m": 300,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
MIN_BAD_REQUESTS = 5
"""Minimum number of bad requests for an alert or an unhealthy canary. Without it, one failed
request of ten would page: see "Low-Traffic Services and Error Budget Alerting" in the workbook."""
_MAX_BAD_RATIO = Decimal("0.9")
"""Upper bound of alert thresholds: with a low objective, burn rate times budget can exceed 1."""


@dataclass(frozen=True)
class BurnRate:
    """Alerting condition: the burn rates over both windows exceed ``factor``."""

    long_window: str
    short_window: str
    factor: Decimal
    severity: Literal["page", "ticket"]


BURN_RATES = (
    BurnRate("1h", "5m", Decimal("14.4"), "page"),
    BurnRate("6h", "30m", Decimal(6), "page"),
    BurnRate("1d", "2h", Decimal(3), "ticket"),
    BurnRate("3d", "6h", Decimal(1), "ticket"),
)
"""Sorted from fast to slow."""


@dataclass(frozen=True)
class Slo:
    """Service level objective of a service."""

    service: str
    """Value of the label ``service``."""
    namespace: str
    """Value of the label ``namespace``."""
    settings: SloSettings
    buckets: tuple[float, ...]
    """Upper bounds of the duration histogram, in seconds. Empty: there are no durations."""

    @classmethod
    def of(cls, settings: SloSettings, requests: RequestMetrics) -> "Slo":
        """Objective of the service whose requests these are."""
        return cls(requests.service, requests.namespace, settings, requests.buckets)

    @property
    def slis(self) -> tuple[Sli, ...]:
        """Indicators that have an objective."""
        return ("availability", "latency") if self.latency_threshold else ("availability",)

    @property
    def latency_threshold(self) -> float | None:
        """Latency threshold in seconds. ``None``: no objective, or no durations."""
        latency = self.settings.latency
        return latency.seconds(self.buckets) if latency and self.buckets else None

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
        return self.series(f"slo:requests:rate{window}")

    def bad_requests(self, window: str, sli: Sli) -> str:
        """PromQL: bad requests per second."""
        return self.series(f"slo:bad_requests:rate{window}", sli=sli)

    def bad_ratio(self, window: str, sli: Sli) -> str:
        """PromQL: ratio of bad requests. No series without requests."""
        return self.series(f"slo:bad_requests:ratio_rate{window}", sli=sli)

    def burn_rate(self, window: str, sli: Sli) -> str:
        """PromQL: burn rate of the error budget."""
        return f"{self.bad_ratio(window, sli)} / {self.error_budget(sli):f}"

    def budget_remaining(self, sli: Sli) -> str:
        """PromQL: remaining fraction of the window's error budget; negative if exceeded."""
        return self.series("slo:error_budget_remaining:ratio", sli=sli)

    def bad_requests_by(self, label: str, sli: Sli, matchers: str) -> str:
        """PromQL: bad requests per second over 5 minutes by ``label``, from the request metrics."""
        if sli == "latency" and self.latency_threshold:
            total = sum_by(label, f'{DURATION}{{{matchers},le="+Inf"}}')
            good = sum_by(label, f"{DURATION}{{{matchers},{bucket_label(self.latency_threshold)}}}")
            return f"clamp_min(\n  {total}\n  -\n  {good}\n, 0)"
        return sum_by(label, f"{ERRORS}{{{matchers}}}")

    def series(self, name: str, **labels: str | None) -> str:
        """PromQL: recorded series of the service."""
        return f"{name}{{{self.selector(**labels)}}}"


def sum_by(label: str, series: str) -> str:
    """PromQL: sum of the service's series by ``label``."""
    return f"sum by (namespace, service, {label}) ({series})"
