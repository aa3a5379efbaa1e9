"""Dashboard with the state of the service at a glance."""

from grafana_foundation_sdk.builders import dashboard

from components.observability.dashboards.panels import (
    Panel,
    big_number,
    graph,
    log_lines,
    new_dashboard,
    query,
    release_annotation,
    value_table,
)
from components.observability.dashboards.service import pods_by_version
from components.observability.queries import latency_quantile, log_selector
from components.observability.slo import Slo
from settings import duration_seconds


def overview_dashboard(slo: Slo) -> dashboard.Dashboard:
    """Current state, the last hours, alerts and error logs."""
    return new_dashboard(
        f"{slo.service}: overview",
        "Current state of the service. The link at the top leads to the other dashboards.",
        {
            "Now": _now(slo),
            "The last hours": _last_hours(slo),
            "Alerts and errors": _problems(slo),
        },
        time_range="3h",
    ).annotation(release_annotation(slo.selector()))


def _now(slo: Slo) -> tuple[Panel, ...]:
    service, latency = slo.selector(), slo.settings.latency
    slow = duration_seconds(latency.threshold) if latency else 1
    numbers = (
        big_number(
            "Requests",
            "Requests per second over 5 minutes.",
            "reqps",
            query(f"sum(rate(http_requests_total{{{service}}}[5m]))", "requests"),
        ),
        big_number(
            "Errors",
            "Percentage of responses with a 5xx status over 5 minutes.",
            "percentunit",
            query(slo.bad_ratio("5m", "availability"), "errors"),
            thresholds=(float(slo.error_budget("availability")), 0.05),
        ),
        big_number(
            "p99",
            "99th percentile of the request duration over 5 minutes.",
            "s",
            query(latency_quantile(0.99, service, "5m"), "p99"),
            thresholds=(slow, 2 * slow),
        ),
        big_number(
            "Pods ready",
            "Ready pods of the service, of all tracks.",
            "short",
            query(f"sum(beacon_ready{{{service}}})", "pods ready"),
            thresholds=(2, 1),
        ),
        big_number(
            "Targets down",
            "Targets that Prometheus cannot scrape: their metrics are missing.",
            "short",
            query("count(up == 0) or vector(0)", "targets down"),
            thresholds=(1, 2),
        ),
        big_number(
            "Alerts",
            "Firing alerts of severity page or ticket.",
            "short",
            query(
                'count(ALERTS{alertstate="firing",severity=~"page|ticket"}) or vector(0)', "alerts"
            ),
            thresholds=(1, 1),
        ),
    )
    budgets = (
        big_number(
            f"Error budget remaining, {sli}",
            f"Remaining percentage of the {slo.window} error budget. Negative if the objective is "
            "missed.",
            "percentunit",
            query(slo.budget_remaining(sli), sli),
            thresholds=(0.25, 0),
        ).span(24 // len(slo.slis))
        for sli in slo.slis
    )
    return (*(number.span(4) for number in numbers), *budgets)


def _last_hours(slo: Slo) -> tuple[Panel, ...]:
    service = slo.selector()
    return (
        graph(
            "Requests",
            "Requests per second, by track.",
            "reqps",
            query(
                f"sum by (track) (rate(http_requests_total{{{service}}}[$__rate_interval]))",
                "{{track}}",
            ),
            stacked=True,
        ),
        graph(
            "Errors",
            "Percentage of responses with a 5xx status over 5 minutes, by track.",
            "percentunit",
            query(slo.track_bad_ratio("5m", "availability"), "{{track}}"),
            thresholds=(float(slo.error_budget("availability")), 0.05),
        ),
        graph(
            "p95",
            "95th percentile of the request duration, by track.",
            "s",
            query(
                latency_quantile(0.95, service, "$__rate_interval", "track"),
                "{{track}}",
                exemplars=True,
            ),
        ),
        pods_by_version(slo),
    )


def _problems(slo: Slo) -> tuple[Panel, ...]:
    return (
        value_table(
            "Firing alerts",
            "Severity page needs immediate action. `make alerts` lists them with their runbooks.",
            query(
                "sum by (alertname, severity, namespace, service) "
                '(ALERTS{alertstate="firing",severity=~"page|ticket"})',
                "{{alertname}}",
            ),
        ),
        log_lines(
            "Error lines",
            "Newest log lines of the levels error and fatal.",
            f'{log_selector(slo.namespace, slo.service)} | level=~"error|fatal"',
        ),
    )
