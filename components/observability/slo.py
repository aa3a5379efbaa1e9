"""Service level objective of a service, its recording rules, alerts and the canary's gate.

Windows and burn rates are those of the Google SRE Workbook, chapter 5 "Alerting on SLOs", section 6
"Multiwindow, Multi-Burn-Rate Alerts" (sre.google/workbook/alerting-on-slos). A burn rate of 1 uses
up the error budget in exactly the SLO's window. With a window of 30 days, 1 hour at a burn rate of
14.4 uses 2 percent of the budget, 6 hours at 6 use 5 percent (page), 1 day at 3 and 3 days at 1 use
10 percent (ticket). The short window, a twelfth of the long one, resolves the alert soon after the
errors stop.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from components.observability.queries import DURATION, ERRORS, PODS, REQUESTS, WINDOW, selector
from components.observability.request_metrics import RequestMetrics, bucket_label
from components.observability.rule import Rule, RuleGroup, alert, recording_rule, rule_group
from settings import SloSettings, format_seconds

Sli = Literal["availability", "latency"]
"""A request is bad if it fails (availability) or exceeds the threshold (latency)."""

WINDOWS = (WINDOW, "30m", "1h", "2h", "6h", "1d", "3d")
"""Windows of the alerts."""
_SECONDS = {
    "5m": 300,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
_INTERVAL = 15
"""Evaluation interval of the shortest window, in seconds."""
_FAST_WINDOWS = ("30m", "1h")
_SLOW_WINDOWS = ("2h", "6h", "1d", "3d")
_MIN_BAD_REQUESTS = 5
"""With fewer, no alert fires and no canary is unhealthy. The workbook's chapter, "Low-Traffic
Services and Error Budget Alerting": one failed request of ten in an hour would page somebody."""
MIN_CANARY_REQUESTS = 100
"""Minimum number of requests in the gate's window. A canary with fewer is not measured."""
_MAX_CANARY_FACTOR = 2
"""A canary is unhealthy above this multiple of stable's ratio of bad requests."""
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

    NOT_MEASURED = -1
    """Too few requests to the canary's version, or an SLI without data."""
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

    def canary_health(self, version: str | None = None) -> str:
        """PromQL: :class:`CanaryHealth` of each version of the canary, or of one of them."""
        return self._series("slo:canary_gate:state", version=version)

    def canary_regression(self, version: str | None = None) -> str:
        """PromQL: ratio of bad requests by version and ``sli``, of unhealthy versions only."""
        return self._series("slo:canary_gate:regression", version=version)

    def canary_requests(self, version: str | None = None) -> str:
        """PromQL: requests per second over 5 minutes by version of the canary."""
        return self._series(f"slo:canary_requests:rate{WINDOW}", version=version)

    def _series(self, name: str, **labels: str | None) -> str:
        return f"{name}{{{self.selector(**labels)}}}"


def slo_rules(slo: Slo) -> list[RuleGroup]:
    """Recording rules, burn rate alerts and the canary's promotion gate."""
    fast = [*_rates(slo), *_long_rates(slo, _FAST_WINDOWS), *_canary_gate(slo)]
    slow = [*_long_rates(slo, (*_SLOW_WINDOWS, slo.window)), *_budget_remaining(slo)]
    return [
        rule_group("slo-objectives", _objectives(slo)),
        rule_group("slo-fast", fast, f"{_INTERVAL}s"),
        rule_group("slo-slow", slow, "1m"),
        rule_group("slo-alerts", [*_burn_rate_alerts(slo), *_without_data(slo)]),
    ]


def _objectives(slo: Slo) -> Iterator[Rule]:
    for sli in slo.slis:
        labels = {"namespace": slo.namespace, "service": slo.service, "sli": sli}
        yield recording_rule("slo:objective:ratio", f"vector({slo.objective(sli):f})", labels)
        yield recording_rule("slo:error_budget:ratio", f"vector({slo.error_budget(sli):f})", labels)
    if slo.latency_threshold:
        labels = {"namespace": slo.namespace, "service": slo.service}
        yield recording_rule(
            "slo:latency_threshold:seconds", f"vector({slo.latency_threshold:g})", labels
        )


def _rates(slo: Slo) -> Iterator[Rule]:
    """Rates of the shortest window, by track and of all tracks."""
    requests = f"slo:track_requests:rate{WINDOW}"
    yield recording_rule(requests, _by("track", f"{REQUESTS}{{{slo.selector()}}}"))
    total = f"{requests}{{{slo.selector()}}}"
    yield recording_rule(f"slo:requests:rate{WINDOW}", f"sum without (track) ({total})")
    for sli in slo.slis:
        labels = {"sli": sli}
        bad = f"slo:track_bad_requests:rate{WINDOW}"
        yield recording_rule(bad, _bad_requests(slo, sli, "track", slo.selector()), labels)
        track_bad = f"{bad}{{{slo.selector(sli=sli)}}}"
        yield recording_rule(
            f"slo:bad_requests:rate{WINDOW}", f"sum without (track) ({track_bad})", labels
        )
        yield recording_rule(
            f"slo:track_bad_requests:ratio_rate{WINDOW}",
            f"{track_bad}\n/ ignoring (sli)\n({total} > 0)",
            labels,
        )
        yield _bad_ratio(slo, sli, WINDOW)


def _bad_requests(slo: Slo, sli: Sli, by: str, matchers: str) -> str:
    if sli == "latency" and slo.latency_threshold:
        total = _by(by, f'{DURATION}{{{matchers},le="+Inf"}}')
        good = _by(by, f"{DURATION}{{{matchers},{bucket_label(slo.latency_threshold)}}}")
        return f"clamp_min(\n  {total}\n  -\n  {good}\n, 0)"
    return _by(by, f"{ERRORS}{{{matchers}}}")


def _by(label: str, series: str) -> str:
    return f"sum by (namespace, service, {label}) ({series})"


def _bad_ratio(slo: Slo, sli: Sli, window: str) -> Rule:
    return recording_rule(
        f"slo:bad_requests:ratio_rate{window}",
        f"{slo.bad_requests(window, sli)}\n/ ignoring (sli)\n({slo.requests(window)} > 0)",
        {"sli": sli},
    )


def _long_rates(slo: Slo, windows: Iterable[str]) -> Iterator[Rule]:
    """Rates of longer windows, from recorded rates: reading days of raw series is expensive.

    Sums rates, not ratios, so that a minute counts by its number of requests.
    """
    for window in windows:
        seconds = _SECONDS.get(window, slo.settings.window_days * _SECONDS["1d"])
        average = f"* {_INTERVAL} / {seconds}"
        yield recording_rule(
            f"slo:requests:rate{window}",
            f"sum_over_time({slo.requests(WINDOW)}[{window}]) {average}",
        )
        for sli in slo.slis:
            yield recording_rule(
                f"slo:bad_requests:rate{window}",
                f"sum_over_time({slo.bad_requests(WINDOW, sli)}[{window}]) {average}",
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
    """Health of each version of the canary: samples of its predecessors do not count."""
    seconds = _SECONDS[WINDOW]
    on = "on (namespace, service, version)"
    running = f"{PODS}{{{slo.selector(track='canary')}}} > 0"
    matchers = f'{slo.selector(track="canary")},version!=""'
    requests = slo.canary_requests()
    yield recording_rule(
        f"slo:canary_requests:rate{WINDOW}", _by("version", f"{REQUESTS}{{{matchers}}}")
    )
    enough = f"{requests} * {seconds} >= {MIN_CANARY_REQUESTS}"
    for sli in slo.slis:
        labels = {"sli": sli}
        bad = f"slo:canary_bad_requests:rate{WINDOW}"
        yield recording_rule(bad, _bad_requests(slo, sli, "version", matchers), labels)
        bad = f"{bad}{{{slo.selector(sli=sli)}}}"
        ratio = f"({bad} / ignoring (sli) ({requests} > 0))"
        stable = f"slo:track_bad_requests:ratio_rate{WINDOW}"
        stable = f"{stable}{{{slo.selector(track='stable', sli=sli)}}}"
        yield recording_rule(
            "slo:canary_gate:regression",
            f"{ratio} > {slo.max_bad_ratio(sli, BURN_RATES[0].factor):f}\n"
            "unless on (namespace, service, version)\n"
            f"{ratio} <= on (namespace, service) group_left () ({_MAX_CANARY_FACTOR} * {stable})\n"
            f"and {on}\n{bad} * {seconds} >= {_MIN_BAD_REQUESTS}\n"
            f"and {on}\n{running}",
            labels,
        )
        enough += f"\n  and {on} {bad}"
    cases = (
        (slo.canary_regression(), CanaryHealth.UNHEALTHY),
        (enough, CanaryHealth.HEALTHY),
        (running, CanaryHealth.NOT_MEASURED),
    )
    health = "\nor\n".join(
        f"  count by (namespace, service, version) ({expr}) * 0 + {value:d}"
        for expr, value in cases
    )
    yield recording_rule("slo:canary_gate:state", f"(\n{health}\n)\nand {on}\n{running}")
    yield alert(
        "CanaryRegression",
        "page",
        slo.canary_regression(),
        f"The canary of {slo.service} has a higher error rate than stable",
        "{{ $value | humanizePercentage }} of the requests to version {{ $labels.version }} of "
        "{{ $labels.namespace }}/{{ $labels.service }} violate the {{ $labels.sli }} objective: "
        f"more than {_MAX_CANARY_FACTOR} times stable's percentage, and above the paging burn "
        "rate.",
        for_="1m",
    )


def _burn_rate_alerts(slo: Slo) -> Iterator[Rule]:
    names = {"availability": "AvailabilityBudgetBurn", "latency": "LatencyBudgetBurn"}
    threshold = slo.latency_threshold
    faults = {
        "availability": "failed",
        "latency": f"took longer than {format_seconds(threshold)}" if threshold else "",
    }
    for sli in slo.slis:
        for burn in BURN_RATES:
            long = burn.long_window
            max_ratio = f"{slo.max_bad_ratio(sli, burn.factor):f}"
            yield alert(
                names[sli],
                burn.severity,
                f"{slo.bad_ratio(long, sli)} > {max_ratio}\n"
                f"and\n{slo.bad_ratio(burn.short_window, sli)} > {max_ratio}\n"
                f"and\n{slo.bad_requests(long, sli)} * {_SECONDS[long]} >= {_MIN_BAD_REQUESTS}",
                f"{slo.service} burns its {sli} error budget {burn.factor:f} times too fast",
                "{{ $value | humanizePercentage }} of the requests to "
                "{{ $labels.namespace }}/{{ $labels.service }} in the last "
                f"{long} {faults[sli]}; the objective allows "
                f"{float(slo.error_budget(sli) * 100):g}% over {slo.settings.window_days} days.",
                labels={"window": long},
            )


def _without_data(slo: Slo) -> Iterator[Rule]:
    """Alerts on indicators that are not measured, whose error budget therefore never shrinks."""
    deployments = f'namespace="{slo.namespace}",deployment=~"{slo.service}-(stable|canary)"'
    causes: dict[Sli, tuple[str, str]] = {
        "availability": (
            f"max by (namespace) (kube_deployment_status_replicas_ready{{{deployments}}}) > 0",
            f"unless on (namespace) group by (namespace) ({slo.requests(WINDOW)})",
        ),
        "latency": (
            f"max by (namespace) ({slo.requests(WINDOW)}) > 0",
            f"unless on (namespace) group by (namespace) ({slo.bad_requests(WINDOW, 'latency')})",
        ),
    }
    for sli in slo.slis:
        present, missing = causes[sli]
        yield alert(
            "SliWithoutData",
            "ticket",
            f"{present}\n{missing}",
            f"The {sli} of {slo.service} is not measured",
            f"No request to {slo.namespace}/{slo.service} has been counted for the {sli} objective "
            "for 30 minutes (value {{ $value }}): its alerts cannot fire, and the promotion gate "
            "has no result.",
            for_="30m",
            labels={"sli": sli},
        )
