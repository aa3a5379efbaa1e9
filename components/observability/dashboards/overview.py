"""Dashboard with the state of the service at a glance."""

from grafana_foundation_sdk.builders import dashboard

from components.observability.dashboards.panels import (
    Panel,
    big_number,
    decision_annotation,
    graph,
    log_lines,
    new_dashboard,
    query,
    release_annotation,
    service_variable,
    value_table,
)
from components.observability.dashboards.service import pods_by_version
from components.observability.queries import (
    PODS,
    error_ratio,
    latency_quantile,
    log_selector,
    request_rate,
    selector,
)

_ALERTS = 'ALERTS{alertstate="firing",severity=~"page|ticket"}'


def overview_dashboard(namespace: str) -> dashboard.Dashboard:
    """All services at a glance, then the current state and the last hours of one."""
    service = selector(namespace, "$service")
    return (
        new_dashboard(
            "Overview",
            "Current state of the services. The link at the top leads to the other dashboards.",
            {
                "All services": _all_services(f'namespace="{namespace}"'),
                "Now": _now(service),
                "The last hours": _last_hours(service),
                "Alerts and errors": _problems(namespace),
            },
            time_range="3h",
        )
        .with_variable(service_variable(namespace))
        .annotation(release_annotation(service))
        .annotation(decision_annotation(namespace, "$service"))
    )


def _all_services(services: str) -> tuple[Panel, ...]:
    panels = (
        graph(
            "Requests by service",
            "Requests per second over 5 minutes.",
            "reqps",
            query(request_rate(services, "service"), "{{service}}"),
            stacked=True,
        ),
        graph(
            "Errors by service",
            "Percentage of failed requests over 5 minutes.",
            "percentunit",
            query(error_ratio(services, "service"), "{{service}}"),
        ),
        graph(
            "p95 by service",
            "95th percentile of the request duration over 5 minutes.",
            "s",
            query(latency_quantile(0.95, services, "service"), "{{service}}"),
        ),
    )
    return tuple(panel.span(8) for panel in panels)


def _now(service: str) -> tuple[Panel, ...]:
    numbers = (
        big_number(
            "Requests",
            "Requests per second over 5 minutes.",
            "reqps",
            query(request_rate(service), "requests"),
        ),
        big_number(
            "Errors",
            "Percentage of failed requests over 5 minutes.",
            "percentunit",
            query(error_ratio(service), "errors"),
            thresholds=(0.001, 0.05),
        ),
        big_number(
            "p99",
            "99th percentile of the request duration over 5 minutes.",
            "s",
            query(latency_quantile(0.99, service), "p99"),
        ),
        big_number(
            "Pods ready",
            "Ready pods of the service, of all tracks.",
            "short",
            query(f"sum({PODS}{{{service}}})", "pods ready"),
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
            query(f"count({_ALERTS}) or vector(0)", "alerts"),
            thresholds=(1, 1),
        ),
    )
    budget = big_number(
        "Error budget remaining",
        "Remaining percentage of each objective's error budget. Negative if it is missed.",
        "percentunit",
        query(f"slo:error_budget_remaining:ratio{{{service}}}", "{{sli}}"),
        thresholds=(0.25, 0),
    ).span(24)
    return (*(number.span(4) for number in numbers), budget)


def _last_hours(service: str) -> tuple[Panel, ...]:
    return (
        graph(
            "Requests",
            "Requests per second over 5 minutes, by track.",
            "reqps",
            query(request_rate(service, "track"), "{{track}}"),
            stacked=True,
        ),
        graph(
            "Errors",
            "Percentage of failed requests over 5 minutes, by track, and the error budget.",
            "percentunit",
            query(error_ratio(service, "track"), "{{track}}"),
            query(f'slo:error_budget:ratio{{{service},sli="availability"}}', "error budget"),
        ),
        graph(
            "p95",
            "95th percentile of the request duration over 5 minutes, by track.",
            "s",
            query(latency_quantile(0.95, service, "track"), "{{track}}"),
        ),
        pods_by_version(service),
    )


def _problems(namespace: str) -> tuple[Panel, ...]:
    return (
        value_table(
            "Firing alerts",
            "Severity page needs immediate action. `make alerts` lists them with their runbooks.",
            query(
                f"sum by (alertname, severity, namespace, service, owner) ({_ALERTS})",
                "{{alertname}}",
            ),
        ),
        log_lines(
            "Error lines",
            "Newest log lines of the levels error and fatal.",
            f'{log_selector(namespace, "$service")} | level=~"error|fatal"',
        ),
    )
