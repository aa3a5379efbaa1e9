"""Dashboard of a service's requests: rate, errors and duration."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard, timeseries

from components.observability.dashboards.panels import (
    Panel,
    decision_annotation,
    graph,
    label_variable,
    new_dashboard,
    query,
    release_annotation,
    service_variable,
)
from components.observability.monitored_service import MonitoredService
from components.observability.queries import (
    PODS,
    REQUESTS,
    error_ratio,
    latency_quantile,
    request_rate,
    selector,
)
from settings import Track

_TRACKS: tuple[Track, ...] = ("stable", "canary")


def service_dashboard(namespace: str, services: Sequence[MonitoredService]) -> dashboard.Dashboard:
    """Rate, errors and duration by track (stable left, canary right) and by route."""
    service = selector(namespace, "$service")
    return (
        new_dashboard(
            "Service: requests",
            "Rate, errors and duration of the requests, by track. Blue lines are new versions, "
            "purple ones promotions and rollbacks.",
            {
                "Rate": [_rate(service, track) for track in _TRACKS],
                "Errors": [_errors(service, track) for track in _TRACKS],
                "Duration": [_duration(service, track) for track in _TRACKS],
                "By route": _routes(service),
                "Traces and pods": (_exemplars(service, services), pods_by_version(service)),
            },
        )
        .with_variable(service_variable(namespace))
        .with_variable(
            label_variable("route", "Route", f"label_values({REQUESTS}{{{service}}}, route)")
        )
        .annotation(release_annotation(service))
        .annotation(decision_annotation(namespace, "$service"))
    )


def _on_route(service: str, track: Track) -> str:
    return f'{service},track="{track}",route=~"$route"'


def _rate(service: str, track: Track) -> timeseries.Panel:
    return graph(
        f"Requests, {track}",
        "Requests per second over 5 minutes, by status. Without probes.",
        "reqps",
        query(request_rate(_on_route(service, track), "status"), "{{status}}"),
        stacked=True,
    )


def _errors(service: str, track: Track) -> timeseries.Panel:
    return graph(
        f"Errors, {track}",
        "Percentage of failed requests over 5 minutes, and the error budget.",
        "percentunit",
        query(error_ratio(_on_route(service, track)), "errors"),
        query(f'slo:error_budget:ratio{{{service},sli="availability"}}', "error budget"),
    )


def _duration(service: str, track: Track) -> timeseries.Panel:
    return graph(
        f"Duration, {track}",
        "Percentiles of the request duration over 5 minutes, and the threshold of the objective.",
        "s",
        *(
            query(latency_quantile(quantile, _on_route(service, track)), f"p{quantile * 100:g}")
            for quantile in (0.5, 0.95, 0.99)
        ),
        query(f"slo:latency_threshold:seconds{{{service}}}", "objective"),
    )


def _routes(service: str) -> tuple[Panel, ...]:
    on_route = f'{service},route=~"$route"'
    return (
        graph(
            "Requests by route",
            "Requests per second by method and route, of all tracks.",
            "reqps",
            query(request_rate(on_route, "method, route"), "{{method}} {{route}}"),
        ),
        graph(
            "p95 by route",
            "95th percentile of the request duration, of all tracks.",
            "s",
            query(latency_quantile(0.95, on_route, "route"), "{{route}}"),
        ),
    )


def _exemplars(service: str, services: Sequence[MonitoredService]) -> timeseries.Panel:
    histograms = {one.requests.exemplars for one in services if one.requests} - {None}
    names = "|".join(sorted(name for name in histograms if name)) or "none"
    buckets = f'{{__name__=~"{names}",{service}}}'
    return graph(
        "Traces",
        "95th percentile of the duration that the service itself measures. Each point is a "
        "request with a trace.",
        "s",
        query(
            f"histogram_quantile(0.95, sum by (le, track) (rate({buckets}[$__rate_interval])))",
            "{{track}}",
            exemplars=True,
        ),
    )


def pods_by_version(service: str) -> timeseries.Panel:
    """Number of ready pods of each version and track."""
    return graph(
        "Pods by version",
        "Ready pods of each version. During a rollout, a track has pods of two versions.",
        "short",
        query(f"sum by (track, version) ({PODS}{{{service}}})", "{{track}} {{version}}"),
        stacked=True,
    )
