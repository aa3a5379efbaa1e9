"""One service level objective, and all that follows from it: series, alerts, the canary's gate.

Windows and factors of the alerts are those of the Google SRE Workbook, chapter 5 "Alerting on
SLOs", section 6 "Multiwindow, Multi-Burn-Rate Alerts" (sre.google/workbook/alerting-on-slos). A
burn rate of 1 spends the budget in exactly the objective's window. Of a window of 30 days,
an hour at 14.4 spends 2 percent, six hours at 6 spend 5 (page), a day at 3 and three days at 1
spend 10 (ticket). The short window, a twelfth of the long one, ends the alert soon after the
errors end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from components.observability.rule import Alert, Group, Rule, Severity
from settings import SloSettings, Track, duration_seconds

Sli = Literal["availability", "latency"]
"""What is bad about a request: a 5xx status, or an answer that came too late."""
Window = Literal["5m", "30m", "1h", "2h", "6h", "1d", "3d"]

FEWEST_BAD = 5
"""Fewer bad requests than these are an accident: no alert, no verdict. The same chapter, "Low-
Traffic Services and Error Budget Alerting": one failure of ten in an hour would page somebody."""
FEWEST_REQUESTS = 100
"""Requests to the canary in the gate's window before it can be called healthy."""
WORSE = 2
"""How many times stable's share of bad requests a canary's may be."""
GATE_WINDOW: Window = "5m"
"""What the gate looks back on."""

_HOUR, _DAY = 3600, 86400
_SECONDS: dict[str, int] = {
    "5m": 300,
    "30m": 1800,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "6h": 6 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
}
_FAST: tuple[Window, ...] = ("5m", "30m", "1h")
_SLOW: tuple[Window, ...] = ("2h", "6h")
_LONG: tuple[Window, ...] = ("1d", "3d")
_FAST_INTERVAL = 15
"""Seconds between two samples of what the fast windows record."""
_MOST = Decimal("0.9")
"""With a low objective not even a total failure burns so fast; then so many bad requests do."""


@dataclass(frozen=True)
class Burn:
    """A budget that is spent too fast: over a long window, and still over a short one."""

    long: Window
    short: Window
    factor: Decimal
    severity: Severity


BURNS = (
    Burn("1h", "5m", Decimal("14.4"), "page"),
    Burn("6h", "30m", Decimal(6), "page"),
    Burn("1d", "2h", Decimal(3), "ticket"),
    Burn("3d", "6h", Decimal(1), "ticket"),
)
"""From fast to slow."""


class CanaryHealth(IntEnum):
    """What the gate says of a canary; the value of its series."""

    NOT_ENOUGH_DATA = -1
    """Too few requests for either."""
    UNHEALTHY = 0
    """Clearly worse than stable, and bad enough to page somebody if all requests reached it."""
    HEALTHY = 1
    """Enough requests, and neither of that."""


@dataclass(frozen=True)
class CanaryGate:
    """What decides on a canary. Without one there are no such series."""

    state: str
    """PromQL of a :class:`CanaryHealth`."""
    regression: str
    """PromQL of the canary's share of bad requests, by ``sli``, where it is unhealthy."""
    least = CanaryHealth.HEALTHY
    """``thresholdRange.min`` of a Flagger metric whose MetricTemplate asks for :attr:`state`."""


@dataclass(frozen=True)
class Slo:
    """The objective of one service. Every name and number below derives from it.

    A dashboard may pass variables, such as ``$namespace``, in place of names.
    """

    service: str
    """Value of the label ``service``."""
    namespace: str
    """Value of the label ``namespace``."""
    settings: SloSettings

    @property
    def slis(self) -> tuple[Sli, ...]:
        """What there is an objective for."""
        return ("availability", "latency") if self.settings.latency else ("availability",)

    @property
    def window(self) -> str:
        """The objective's window, as PromQL writes it: ``30d``."""
        return f"{self.settings.window_days}d"

    @property
    def windows(self) -> tuple[str, ...]:
        """Every window that ratios are recorded over, from short to long."""
        return (*_FAST, *_SLOW, *_LONG, self.window)

    @property
    def track_windows(self) -> tuple[str, ...]:
        """Those that are recorded by track too."""
        return (*_FAST, *_SLOW)

    def objective(self, sli: Sli) -> Decimal:
        """The share of good requests that is promised, such as 0.999."""
        latency = self.settings.latency
        percent = latency.objective if sli == "latency" and latency else self.settings.availability
        return Decimal(str(percent)) / 100

    def budget(self, sli: Sli) -> Decimal:
        """The share of bad requests that is allowed, such as 0.001."""
        return 1 - self.objective(sli)

    def limit(self, sli: Sli, factor: Decimal) -> Decimal:
        """The share of bad requests at which the budget is spent ``factor`` times too fast."""
        return min(factor * self.budget(sli), _MOST)

    def requests(self, window: str) -> str:
        """PromQL: requests per second."""
        return self._of(f"slo:requests:rate{window}")

    def bad_requests(self, window: str, sli: Sli) -> str:
        """PromQL: bad requests per second."""
        return self._of(f"slo:bad_requests:rate{window}", sli=sli)

    def bad_ratio(self, window: str, sli: Sli) -> str:
        """PromQL: the share of bad requests. No series without requests."""
        return self._of(f"slo:bad_requests:ratio_rate{window}", sli=sli)

    def burn_rate(self, window: str, sli: Sli) -> str:
        """PromQL: how many times too fast the budget is being spent."""
        return f"{self.bad_ratio(window, sli)} / {self.budget(sli):f}"

    def budget_remaining(self, sli: Sli) -> str:
        """PromQL: the share of the window's budget that is left; below 0 it is overspent."""
        return self._of("slo:error_budget_remaining:ratio", sli=sli)

    def track_requests(self, window: str, track: Track | None = None) -> str:
        """PromQL: requests per second of a track, or of each."""
        return self._of(f"slo:track_requests:rate{window}", track=track)

    def track_bad_requests(self, window: str, sli: Sli, track: Track | None = None) -> str:
        """PromQL: bad requests per second of a track, or of each."""
        return self._of(f"slo:track_bad_requests:rate{window}", sli=sli, track=track)

    def track_bad_ratio(self, window: str, sli: Sli, track: Track | None = None) -> str:
        """PromQL: the share of bad requests of a track, or of each."""
        return self._of(f"slo:track_bad_requests:ratio_rate{window}", sli=sli, track=track)

    @property
    def canary_gate(self) -> CanaryGate:
        """What decides on the canary."""
        return CanaryGate(self._of("slo:canary_gate:state"), self._of("slo:canary_gate:regression"))

    @property
    def groups(self) -> tuple[Group, ...]:
        """The rules."""
        return (
            Group("slo-objectives", tuple(self._objectives())),
            Group("slo-fast", tuple(self._recorded(_FAST)), f"{_FAST_INTERVAL}s"),
            Group("slo-slow", tuple(self._recorded(_SLOW)), "1m"),
            Group("slo-budget", (*self._long(), *self._remaining()), "1m"),
            Group("slo-canary", (*self._gate(), self._regression_alert()), f"{_FAST_INTERVAL}s"),
            Group("slo-alerts", tuple(self._burn_alerts())),
        )

    def _of(self, series: str, **labels: str | None) -> str:
        return f"{series}{{{self._select(**labels)}}}"

    def _select(self, **labels: str | None) -> str:
        every = {"namespace": self.namespace, "service": self.service, **labels}
        return ",".join(f'{name}="{value}"' for name, value in every.items() if value is not None)

    def _labels(self, sli: Sli) -> dict[str, str]:
        return {"namespace": self.namespace, "service": self.service, "sli": sli}

    def _objectives(self) -> Iterator[Rule]:
        for sli in self.slis:
            labels = self._labels(sli)
            yield Rule("slo:objective:ratio", f"vector({self.objective(sli):f})", labels)
            yield Rule("slo:error_budget:ratio", f"vector({self.budget(sli):f})", labels)

    def _recorded(self, windows: tuple[Window, ...]) -> Iterator[Rule]:
        for window in windows:
            counted = f"http_requests_total{{{self._select()}}}[{window}]"
            yield Rule(f"slo:track_requests:rate{window}", _by_track(counted))
            yield Rule(
                f"slo:requests:rate{window}", f"sum without (track) ({self.track_requests(window)})"
            )
            for sli in self.slis:
                bad = self._bad(sli, window)
                yield Rule(f"slo:track_bad_requests:rate{window}", bad, {"sli": sli})
                yield Rule(
                    f"slo:bad_requests:rate{window}",
                    f"sum without (track) ({self.track_bad_requests(window, sli)})",
                    {"sli": sli},
                )
                yield Rule(
                    f"slo:track_bad_requests:ratio_rate{window}",
                    f"{self.track_bad_requests(window, sli)}\n"
                    "/ ignoring (sli)\n"
                    f"({self.track_requests(window)} > 0)",
                    {"sli": sli},
                )
                yield self._ratio(window, sli)

    def _bad(self, sli: Sli, window: str) -> str:
        latency = self.settings.latency
        if sli == "latency" and latency:
            bound = f"{duration_seconds(latency.threshold):g}"
            # Prometheus 3 writes a whole number as 1.0, Prometheus 2 as the service does.
            le = f'le=~"{bound}|{bound}.0"' if bound.isdigit() else f'le="{bound}"'
            histogram = "http_request_duration_seconds"
            every = _by_track(f"{histogram}_count{{{self._select()}}}[{window}]")
            good = _by_track(f"{histogram}_bucket{{{self._select()},{le}}}[{window}]")
            return f"clamp_min(\n  {every}\n  -\n  {good}\n, 0)"
        failed = _by_track(f'http_requests_total{{{self._select()},status=~"5.."}}[{window}]')
        # A status that was never answered has no series: then it is 0, not unknown.
        return f"{failed}\nor\n0 * {self.track_requests(window)}"

    def _ratio(self, window: str, sli: Sli) -> Rule:
        return Rule(
            f"slo:bad_requests:ratio_rate{window}",
            f"{self.bad_requests(window, sli)}\n/ ignoring (sli)\n({self.requests(window)} > 0)",
            {"sli": sli},
        )

    def _long(self) -> Iterator[Rule]:
        """From what is recorded already: days of raw series would be read at every evaluation.

        Rates are added up, not ratios: a busy minute weighs more than a quiet one.
        """
        for window in (*_LONG, self.window):
            span = _SECONDS.get(window, self.settings.window_days * _DAY)
            share = f"* {_FAST_INTERVAL} / {span}"
            yield Rule(
                f"slo:requests:rate{window}",
                f"sum_over_time({self.requests('5m')}[{window}]) {share}",
            )
            for sli in self.slis:
                yield Rule(
                    f"slo:bad_requests:rate{window}",
                    f"sum_over_time({self.bad_requests('5m', sli)}[{window}]) {share}",
                    {"sli": sli},
                )
                yield self._ratio(window, sli)

    def _remaining(self) -> Iterator[Rule]:
        for sli in self.slis:
            yield Rule(
                "slo:error_budget_remaining:ratio",
                f"1 - {self.burn_rate(self.window, sli)}",
                {"sli": sli},
            )

    def _gate(self) -> Iterator[Rule]:
        canary_is_up = f"up{{{self._select(track='canary')}}}"
        factor = BURNS[0].factor
        for sli in self.slis:
            canary = self.track_bad_ratio(GATE_WINDOW, sli, "canary")
            stable = self.track_bad_ratio(GATE_WINDOW, sli, "stable")
            bad = self.track_bad_requests(GATE_WINDOW, sli, "canary")
            yield Rule(
                "slo:canary_gate:regression",
                f"{canary} > {self.limit(sli, factor):f}\n"
                f"unless ignoring (track)\n{canary} <= ignoring (track) ({WORSE} * {stable})\n"
                f"and\n{bad} * {_SECONDS[GATE_WINDOW]} >= {FEWEST_BAD}\n"
                f"and on (namespace, service)\n{canary_is_up}",
                {"sli": sli},
            )
        requests = self.track_requests(GATE_WINDOW, "canary")
        enough = f"{requests} * {_SECONDS[GATE_WINDOW]} >= {FEWEST_REQUESTS}"
        yield Rule(
            "slo:canary_gate:state",
            f"(\n"
            f"  count by (namespace, service) ({self.canary_gate.regression})"
            f" * 0 + {CanaryHealth.UNHEALTHY:d}\n"
            f"or\n"
            f"  count by (namespace, service) ({enough})"
            f" * 0 + {CanaryHealth.HEALTHY:d}\n"
            f"or\n"
            f"  count by (namespace, service) ({canary_is_up})"
            f" * 0 + {CanaryHealth.NOT_ENOUGH_DATA:d}\n"
            f")\n"
            f"and on (namespace, service)\n{canary_is_up}",
        )

    def _regression_alert(self) -> Alert:
        return Alert(
            "CanaryRegression",
            "page",
            f"{self.canary_gate.regression}\n"
            f"and on (namespace, service)\n"
            f"{self.canary_gate.state} == {CanaryHealth.UNHEALTHY:d}",
            f"The canary of {self.service} is worse than stable",
            "{{ $value | humanizePercentage }} of the requests to the canary of "
            "{{ $labels.namespace }}/{{ $labels.service }} miss the objective of "
            f"{{{{ $labels.sli }}}}: more than {WORSE} times stable's share, and enough to page "
            "somebody if all requests reached it.",
            lasting="1m",
        )

    def _burn_alerts(self) -> Iterator[Alert]:
        names: dict[Sli, str] = {
            "availability": "AvailabilityBudgetBurn",
            "latency": "LatencyBudgetBurn",
        }
        for sli in self.slis:
            for burn in BURNS:
                limit = f"{self.limit(sli, burn.factor):f}"
                many = f"{self.bad_requests(burn.long, sli)} * {_SECONDS[burn.long]}"
                yield Alert(
                    names[sli],
                    burn.severity,
                    f"{self.bad_ratio(burn.long, sli)} > {limit}\n"
                    f"and\n{self.bad_ratio(burn.short, sli)} > {limit}\n"
                    f"and\n{many} >= {FEWEST_BAD}",
                    f"{self.service} burns its {sli} budget {burn.factor:f} times too fast",
                    f"{{{{ $value | humanizePercentage }}}} of the requests to "
                    "{{ $labels.namespace }}/{{ $labels.service }} in the last "
                    f"{burn.long} {self._fault(sli)}; the objective allows "
                    f"{float(self.budget(sli) * 100):g}% over {self.settings.window_days} days.",
                    labels={"window": burn.long},
                )

    def _fault(self, sli: Sli) -> str:
        latency = self.settings.latency
        if sli == "latency" and latency:
            return f"took longer than {latency.threshold}"
        return "failed with a 5xx status"


def _by_track(range_vector: str) -> str:
    return f"sum by (namespace, service, track) (rate({range_vector}))"
