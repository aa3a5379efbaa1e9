"""Everything at a glance: one number each, then where to look on."""

from dataclasses import replace

from components.observability.dashboards import service
from components.observability.dashboards.panel import (
    Bounds,
    Dashboard,
    Logql,
    Panel,
    Promql,
    Row,
    Unit,
)
from components.observability.dashboards.scope import Scope
from components.observability.slo import Sli
from settings import duration_seconds

_QUIET = "no request was answered yet"


def dashboard(scope: Scope) -> Dashboard:
    """The dashboard that a reader opens first."""
    return Dashboard(
        "overview",
        f"{scope.service}: overview",
        "How the service does now. The list at the top leads to the other dashboards.",
        rows=(
            Row("Now", (*_now(scope), *(_budget(scope, sli) for sli in scope.slo.slis))),
            Row(
                "The last hours",
                (
                    _rate(scope),
                    _errors(scope),
                    _duration(scope),
                    replace(service.versions(scope), width=12),
                ),
            ),
            Row("What needs somebody", (_alerts(), _error_lines(scope))),
        ),
        releases=service.releases(scope),
        since="3h",
    )


def _now(scope: Scope) -> tuple[Panel, ...]:
    slo, latency = scope.slo, scope.slo.settings.latency
    slow = duration_seconds(latency.threshold) if latency else 1
    answered = f"sum(rate(http_requests_total{{{scope.requests}}}[5m]))"
    return (
        _number("Requests", "Answered per second, over five minutes.", "reqps", answered),
        _number(
            "Errors",
            "Share of the requests of the last five minutes that were answered with a 5xx status.",
            "percentunit",
            slo.bad_ratio("5m", "availability"),
            bounds=Bounds(float(slo.budget("availability")), 0.05),
            empty="no request in five minutes",
        ),
        _number(
            "p99",
            "99 percent of the requests of the last five minutes were faster.",
            "s",
            service.duration(0.99, scope.requests, over="5m"),
            bounds=Bounds(slow, 2 * slow),
        ),
        _number(
            "Pods ready",
            "Pods of the service that serve requests, on both tracks.",
            "short",
            f"sum(beacon_ready{{{scope.requests}}})",
            bounds=Bounds(2, 1),
            empty="",
        ),
        _number(
            "Targets down",
            "What Prometheus cannot read: of this, nothing is known.",
            "short",
            "count(up == 0) or vector(0)",
            bounds=Bounds(1, 2),
            empty="",
        ),
        _number(
            "Alerts",
            "Alerts that are firing now and that somebody is told of.",
            "short",
            'count(ALERTS{alertstate="firing",severity=~"page|ticket"}) or vector(0)',
            bounds=Bounds(1, 1),
            empty="",
        ),
    )


def _number(
    title: str,
    description: str,
    unit: Unit,
    expr: str,
    *,
    bounds: Bounds | None = None,
    empty: str = _QUIET,
) -> Panel:
    target = Promql(expr, title.lower(), empty=empty)
    return Panel(title, description, unit, (target,), "figure", bounds, width=4, height=4)


def _budget(scope: Scope, sli: Sli) -> Panel:
    return Panel(
        f"Error budget left, {sli}",
        f"Share of the {scope.slo.window} budget that is left. Below 0 the objective is missed.",
        "percentunit",
        (Promql(scope.slo.budget_remaining(sli), sli, empty=_QUIET),),
        "figure",
        Bounds(0.25, 0),
        height=4,
        width=24 // len(scope.slo.slis),
    )


def _rate(scope: Scope) -> Panel:
    return Panel(
        "Requests",
        "Answered requests per second, by track: how the traffic is shared.",
        "reqps",
        (
            Promql(
                f"sum by (track) (rate(http_requests_total{{{scope.requests}}}[$__rate_interval]))",
                "{{track}}",
                empty=_QUIET,
            ),
        ),
        stacked=True,
    )


def _errors(scope: Scope) -> Panel:
    slo = scope.slo
    return Panel(
        "Errors",
        "Share of the requests of five minutes that were answered with a 5xx status, by track.",
        "percentunit",
        (
            Promql(
                slo.track_bad_ratio("5m", "availability"),
                "{{track}}",
                empty="no request in five minutes",
            ),
        ),
        bounds=Bounds(float(slo.budget("availability")), 0.05),
    )


def _duration(scope: Scope) -> Panel:
    return Panel(
        "p95",
        "95 percent of the requests were faster, by track.",
        "s",
        (
            Promql(
                service.duration(0.95, scope.requests, "track"),
                "{{track}}",
                exemplars=True,
                empty=_QUIET,
            ),
        ),
    )


def _alerts() -> Panel:
    return Panel(
        "Firing alerts",
        "What fires now and whether it can wait. `make alerts` shows the same with runbooks.",
        "short",
        (
            Promql(
                "sum by (alertname, severity, namespace, service) "
                '(ALERTS{alertstate="firing",severity=~"page|ticket"})',
                "{{alertname}}",
                empty="nothing fires",
            ),
        ),
        "table",
    )


def _error_lines(scope: Scope) -> Panel:
    return Panel(
        "Error lines",
        "The newest lines of the service that were logged as errors.",
        "short",
        (
            Logql(
                f'{scope.logs} | level=~"error|fatal"',
                "{{level}}",
                empty="nothing was logged as an error",
            ),
        ),
        "lines",
    )
