"""The service by rate, errors and duration: stable on the left, the canary on the right."""

from components.observability.dashboards.panel import (
    Bounds,
    Dashboard,
    Panel,
    Promql,
    Row,
    Variable,
)
from components.observability.dashboards.scope import Scope
from settings import Track, duration_seconds

_NO_CANARY = "there is no canary"
_TRACKS: tuple[Track, ...] = ("stable", "canary")


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard of the service."""
    return Dashboard(
        "service",
        f"{scope.service}: requests",
        "Rate, errors and duration of the requests, by track. Blue lines are releases.",
        rows=(
            Row("Rate", tuple(_rate(scope, track) for track in _TRACKS)),
            Row("Errors", tuple(_errors(scope, track) for track in _TRACKS)),
            Row("Duration", tuple(_duration(scope, track) for track in _TRACKS)),
            Row("By route", (_routes(scope), _slowest_routes(scope))),
            Row("Inside", (_in_flight(scope), versions(scope), _faults(scope))),
        ),
        variables=(
            Variable(
                "path", "Route", f"label_values(http_requests_total{{{scope.requests}}}, path)"
            ),
        ),
        releases=releases(scope),
    )


def releases(scope: Scope) -> str:
    """A series for each version that a track did not run a minute before."""
    running = f"beacon_build_info{{{scope.requests}}}"
    by = "sum by (track, version)"
    return f"{by} ({running}) unless {by} ({running} offset 1m)"


def _rate(scope: Scope, track: Track) -> Panel:
    return Panel(
        f"Requests, {track}",
        "Answered requests per second, by status. Those of probes and of the admin port are not "
        "in it.",
        "reqps",
        (
            Promql(
                "sum by (status) "
                f"(rate(http_requests_total{{{_of(scope, track)}}}[$__rate_interval]))",
                "{{status}}",
                empty=_unless(track, "no request was answered yet"),
            ),
        ),
        stacked=True,
    )


def _errors(scope: Scope, track: Track) -> Panel:
    return Panel(
        f"Errors, {track}",
        "Share of the requests that the service answered with a 5xx status. The dashed line is "
        "what the objective allows over its whole window.",
        "percentunit",
        (
            Promql(
                error_share(_of(scope, track)),
                "5xx",
                empty=_unless(track, "no request was answered yet"),
            ),
        ),
        bounds=Bounds(float(scope.slo.budget("availability")), 0.05),
    )


def error_share(matchers: str) -> str:
    """The share of answers with a 5xx status: 0 where there were answers and none was."""
    answered = f"sum(rate(http_requests_total{{{matchers}}}[$__rate_interval]))"
    failed = f'sum(rate(http_requests_total{{{matchers},status=~"5.."}}[$__rate_interval]))'
    return f"({failed} or 0 * {answered}) / {answered}"


def _duration(scope: Scope, track: Track) -> Panel:
    objective = scope.slo.settings.latency
    return Panel(
        f"Duration, {track}",
        "Half of the requests were faster than p50, 95 and 99 percent faster than p95 and p99. "
        "Each point is one request whose trace can be opened.",
        "s",
        tuple(
            Promql(
                duration(quantile, _of(scope, track)),
                f"p{quantile * 100:g}",
                exemplars=True,
                empty=_unless(track, "no request was answered yet"),
            )
            for quantile in (0.5, 0.95, 0.99)
        ),
        bounds=Bounds(
            duration_seconds(objective.threshold), 2 * duration_seconds(objective.threshold)
        )
        if objective
        else None,
    )


def duration(quantile: float, matchers: str, by: str = "", over: str = "$__rate_interval") -> str:
    """The time that a share of the requests was faster than, for each value of the label ``by``."""
    labels = f"le, {by}" if by else "le"
    buckets = f"http_request_duration_seconds_bucket{{{matchers}}}"
    return f"histogram_quantile({quantile}, sum by ({labels}) (rate({buckets}[{over}])))"


def _routes(scope: Scope) -> Panel:
    return Panel(
        "Requests by route",
        "Requests per second, by method and route, both tracks together.",
        "reqps",
        (
            Promql(
                "sum by (method, path) "
                f'(rate(http_requests_total{{{scope.requests},path=~"$path"}}[$__rate_interval]))',
                "{{method}} {{path}}",
                empty="no request was answered yet",
            ),
        ),
    )


def _slowest_routes(scope: Scope) -> Panel:
    return Panel(
        "p95 by route",
        "95 percent of the requests to the route were faster, both tracks together.",
        "s",
        (
            Promql(
                duration(0.95, f'{scope.requests},path=~"$path"', "path"),
                "{{path}}",
                exemplars=True,
                empty="no request was answered yet",
            ),
        ),
    )


def _in_flight(scope: Scope) -> Panel:
    return Panel(
        "Requests in flight",
        "Requests that are being answered, by pod. Many with a low rate: something hangs.",
        "short",
        (Promql(f"sum by (track, pod) (http_requests_in_flight{{{scope.requests}}})", "{{pod}}"),),
        width=8,
    )


def versions(scope: Scope) -> Panel:
    """How many pods run which version."""
    return Panel(
        "Pods by version",
        "Pods that run each version. Two versions of one track: a rollout is under way.",
        "short",
        (
            Promql(
                f"sum by (track, version) (beacon_build_info{{{scope.requests}}})",
                "{{track}} {{version}}",
            ),
        ),
        width=8,
        stacked=True,
    )


def _faults(scope: Scope) -> Panel:
    return Panel(
        "Panics and injected faults",
        "Handlers that panicked, and faults that a drill put in, per second. Both are 0 in normal "
        "operation.",
        "cps",
        (
            Promql(
                f"sum by (track) (rate(beacon_panics_total{{{scope.requests}}}[$__rate_interval]))",
                "panics, {{track}}",
            ),
            Promql(
                "sum by (track, kind) "
                f"(rate(beacon_faults_injected_total{{{scope.requests}}}[$__rate_interval]))",
                "injected {{kind}}, {{track}}",
            ),
        ),
        width=8,
    )


def _of(scope: Scope, track: Track) -> str:
    return f'{scope.track(track)},path=~"$path"'


def _unless(track: Track, otherwise: str) -> str:
    return _NO_CANARY if track == "canary" else otherwise
