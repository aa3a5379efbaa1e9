"""Service level objective of a service, its recording rules, alerts and the canary's gate.

Windows and burn rates are those of the Google SRE Workbook, chapter 5 "Alerting on SLOs", section 6
"Multiwindow, Multi-Burn-Rate Alerts" (sre.google/workbook/alerting-on-slos). A burn rate of 1 uses
up the error budget in exactly the SLO's window. With a window of 30 days, 1 hour at a burn rate of
14.4 uses 2 percent of the budget, 6 hours at 6 use 5 percent (page), 1 day at 3 and 3 days at 1 use
10 percent (ticket). The short window, a twelfth of the long one, resolves the alert soon after the
errors stop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from components.observability.queries import selector
from components.observability.rule import Rule, RuleGroup, alert, recording_rule, rule_group
from settings import SloSettings, Track, duration_seconds

Sli = Literal["availability", "latency"]
"""A request is bad if it gets a 5xx status (availability) or exceeds the threshold (latency)."""

FAST_WINDOWS = ("5m", "30m", "1h")
SLOW_WINDOWS = ("2h", "6h")
LONG_WINDOWS = ("1d", "3d")
_SECONDS = {
    "5m": 300,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
_FAST_INTERVAL = 15
"""Evaluation interval of the fast windows, in seconds."""
_MIN_BAD_REQUESTS = 5
"""Below this, neither an alert nor an unhealthy canary. The workbook's chapter, "Low-Traffic
Services and Error Budget Alerting": one failed request of ten in an hour would page somebody."""
_MIN_CANARY_REQUESTS = 100
"""Requests to the canary within the gate's window before it can be healthy."""
_MAX_CANARY_FACTOR = 2
"""A canary is unhealthy above this multiple of stable's ratio of bad requests."""
_GATE_WINDOW = "5m"
_MAX_BAD_RATIO = Decimal("0.9")
"""Upper bound of alert thresholds: with a low objective, burn rate times budget can exceed 1."""


@dataclass(frozen=True)
class BurnRate:
    """Burn rate that alerts if both the long and the short window exceed it."""

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


def slo_rules(slo: Slo) -> list[RuleGroup]:
    """Recording rules, burn rate alerts and the canary's promotion gate."""
    return [
        rule_group("slo-objectives", _objectives(slo)),
        rule_group("slo-fast", _rates(slo, FAST_WINDOWS), f"{_FAST_INTERVAL}s"),
        rule_group("slo-slow", _rates(slo, SLOW_WINDOWS), "1m"),
        rule_group("slo-budget", [*_long_rates(slo), *_budget_remaining(slo)], "1m"),
        rule_group("slo-canary", _canary_gate(slo), f"{_FAST_INTERVAL}s"),
        rule_group("slo-alerts", _burn_rate_alerts(slo)),
    ]


def _objectives(slo: Slo) -> Iterator[Rule]:
    for sli in slo.slis:
        labels = {"namespace": slo.namespace, "service": slo.service, "sli": sli}
        yield recording_rule("slo:objective:ratio", f"vector({slo.objective(sli):f})", labels)
        yield recording_rule("slo:error_budget:ratio", f"vector({slo.error_budget(sli):f})", labels)


def _rates(slo: Slo, windows: tuple[str, ...]) -> Iterator[Rule]:
    for window in windows:
        yield recording_rule(
            f"slo:track_requests:rate{window}",
            _by_track(f"http_requests_total{{{slo.selector()}}}[{window}]"),
        )
        yield recording_rule(
            f"slo:requests:rate{window}", f"sum without (track) ({slo.track_requests(window)})"
        )
        for sli in slo.slis:
            labels = {"sli": sli}
            track_bad = slo.track_bad_requests(window, sli)
            yield recording_rule(
                f"slo:track_bad_requests:rate{window}", _bad_requests(slo, sli, window), labels
            )
            yield recording_rule(
                f"slo:bad_requests:rate{window}", f"sum without (track) ({track_bad})", labels
            )
            yield recording_rule(
                f"slo:track_bad_requests:ratio_rate{window}",
                f"{track_bad}\n/ ignoring (sli)\n({slo.track_requests(window)} > 0)",
                labels,
            )
            yield _bad_ratio(slo, sli, window)


def _bad_requests(slo: Slo, sli: Sli, window: str) -> str:
    latency = slo.settings.latency
    if sli == "latency" and latency:
        bound = f"{duration_seconds(latency.threshold):g}"
        # Prometheus 3 writes a whole number as 1.0, Prometheus 2 as the service does.
        le = f'le=~"{bound}|{bound}.0"' if bound.isdigit() else f'le="{bound}"'
        histogram = "http_request_duration_seconds"
        total = _by_track(f"{histogram}_count{{{slo.selector()}}}[{window}]")
        good = _by_track(f"{histogram}_bucket{{{slo.selector()},{le}}}[{window}]")
        return f"clamp_min(\n  {total}\n  -\n  {good}\n, 0)"
    errors = _by_track(f'http_requests_total{{{slo.selector()},status=~"5.."}}[{window}]')
    # There is no series for a status before its first response: count 0, not nothing.
    return f"{errors}\nor\n0 * {slo.track_requests(window)}"


def _by_track(range_vector: str) -> str:
    return f"sum by (namespace, service, track) (rate({range_vector}))"


def _bad_ratio(slo: Slo, sli: Sli, window: str) -> Rule:
    return recording_rule(
        f"slo:bad_requests:ratio_rate{window}",
        f"{slo.bad_requests(window, sli)}\n/ ignoring (sli)\n({slo.requests(window)} > 0)",
        {"sli": sli},
    )


def _long_rates(slo: Slo) -> Iterator[Rule]:
    """Rates over days, from recorded rates: reading raw series of days would be expensive.

    Sums rates, not ratios, so that a minute counts by its number of requests.
    """
    for window in (*LONG_WINDOWS, slo.window):
        seconds = _SECONDS.get(window, slo.settings.window_days * _SECONDS["1d"])
        average = f"* {_FAST_INTERVAL} / {seconds}"
        yield recording_rule(
            f"slo:requests:rate{window}",
            f"sum_over_time({slo.requests('5m')}[{window}]) {average}",
        )
        for sli in slo.slis:
            yield recording_rule(
                f"slo:bad_requests:rate{window}",
                f"sum_over_time({slo.bad_requests('5m', sli)}[{window}]) {average}",
                {"sli": sli},
            )
            yield _bad_ratio(slo, sli, window)


def _budget_remaining(slo: Slo) -> Iterator[Rule]:
    for sli in slo.slis:
        yield recording_rule(
            "slo:error_budget_remaining:ratio",
            f"1 - {slo.burn_rate(slo.window, sli)}",
            {"sli": sli},
        )


def _canary_gate(slo: Slo) -> Iterator[Rule]:
    canary_is_up = f"up{{{slo.selector(track='canary')}}}"
    for sli in slo.slis:
        canary = slo.track_bad_ratio(_GATE_WINDOW, sli, "canary")
        stable = slo.track_bad_ratio(_GATE_WINDOW, sli, "stable")
        bad = slo.track_bad_requests(_GATE_WINDOW, sli, "canary")
        yield recording_rule(
            "slo:canary_gate:regression",
            f"{canary} > {slo.max_bad_ratio(sli, BURN_RATES[0].factor):f}\n"
            "unless ignoring (track)\n"
            f"{canary} <= ignoring (track) ({_MAX_CANARY_FACTOR} * {stable})\n"
            f"and\n{bad} * {_SECONDS[_GATE_WINDOW]} >= {_MIN_BAD_REQUESTS}\n"
            f"and on (namespace, service)\n{canary_is_up}",
            {"sli": sli},
        )
    requests = slo.track_requests(_GATE_WINDOW, "canary")
    enough = f"{requests} * {_SECONDS[_GATE_WINDOW]} >= {_MIN_CANARY_REQUESTS}"
    cases = (
        (slo.canary_regression, CanaryHealth.UNHEALTHY),
        (enough, CanaryHealth.HEALTHY),
        (canary_is_up, CanaryHealth.NOT_ENOUGH_DATA),
    )
    health = "\nor\n".join(
        f"  count by (namespace, service) ({expr}) * 0 + {value:d}" for expr, value in cases
    )
    yield recording_rule(
        "slo:canary_gate:state", f"(\n{health}\n)\nand on (namespace, service)\n{canary_is_up}"
    )
    yield alert(
        "CanaryRegression",
        "page",
        f"{slo.canary_regression}\n"
        "and on (namespace, service)\n"
        f"{slo.canary_health} == {CanaryHealth.UNHEALTHY:d}",
        f"The canary of {slo.service} has a higher error rate than stable",
        "{{ $value | humanizePercentage }} of the requests to the canary of "
        "{{ $labels.namespace }}/{{ $labels.service }} violate the {{ $labels.sli }} objective: "
        f"more than {_MAX_CANARY_FACTOR} times stable's percentage, and above the paging burn "
        "rate.",
        for_="1m",
    )


def _burn_rate_alerts(slo: Slo) -> Iterator[Rule]:
    latency = slo.settings.latency
    names = {"availability": "AvailabilityBudgetBurn", "latency": "LatencyBudgetBurn"}
    faults = {
        "availability": "failed with a 5xx status",
        "latency": f"took longer than {latency.threshold}" if latency else "",
    }
    for sli in slo.slis:
        for burn in BURN_RATES:
            long = burn.long_window
            threshold = f"{slo.max_bad_ratio(sli, burn.factor):f}"
            yield alert(
                names[sli],
                burn.severity,
                f"{slo.bad_ratio(long, sli)} > {threshold}\n"
                f"and\n{slo.bad_ratio(burn.short_window, sli)} > {threshold}\n"
                f"and\n{slo.bad_requests(long, sli)} * {_SECONDS[long]} >= {_MIN_BAD_REQUESTS}",
                f"{slo.service} burns its {sli} error budget {burn.factor:f} times too fast",
                "{{ $value | humanizePercentage }} of the requests to "
                "{{ $labels.namespace }}/{{ $labels.service }} in the last "
                f"{long} {faults[sli]}; the objective allows "
                f"{float(slo.error_budget(sli) * 100):g}% over {slo.settings.window_days} days.",
                labels={"window": long},
            )
