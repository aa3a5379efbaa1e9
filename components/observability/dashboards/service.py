"""Dashboard of the service's requests: rate, errors and duration."""

from grafana_foundation_sdk.builders import dashboard, timeseries

from components.observability.dashboards.panels import (
    Panel,
    graph,
    label_variable,
    new_dashboard,
    query,
    release_annotation,
)
from components.observability.queries import error_ratio, latency_quantile
from components.observability.slo import Slo
from settings import Track, duration_seconds

_TRACKS: tuple[Track, ...] = ("stable", "canary")


def service_dashboard(slo: Slo) -> dashboard.Dashboard:
    """Rate, errors and duration by track (stable left, canary right) and by route."""
    service = slo.selector()
    return (
        new_dashboard(
            f"{slo.service}: requests",
            "Rate, errors and duration of the requests, by track. Blue lines are releases.",
            {
                "Rate": [_rate(slo, track) for track in _TRACKS],
                "Errors": [_errors(slo, track) for track in _TRACKS],
                "Duration": [_duration(slo, track) for track in _TRACKS],
                "By route": _routes(service),
                "Internals": (_in_flight(service), pods_by_version(slo).span(8), _faults(service)),
            },
        )
        .with_variable(
            label_variable("path", "Route", f"label_values(http_requests_total{{{service}}}, path)")
        )
        .annotation(release_annotation(service))
    )


def _on_route(slo: Slo, track: Track) -> str:
    return f'{slo.selector(track=track)},path=~"$path"'


def _rate(slo: Slo, track: Track) -> timeseries.Panel:
    return graph(
        f"Requests, {track}",
        "Requests per second, by status. Without probes and the admin port.",
        "reqps",
        query(
            "sum by (status) "
            f"(rate(http_requests_total{{{_on_route(slo, track)}}}[$__rate_interval]))",
            "{{status}}",
        ),
        stacked=True,
    )


def _errors(slo: Slo, track: Track) -> timeseries.Panel:
    return graph(
        f"Errors, {track}",
        "Percentage of responses with a 5xx status. The lower threshold is the error budget.",
        "percentunit",
        query(error_ratio(_on_route(slo, track), "$__rate_interval"), "5xx"),
        thresholds=(float(slo.error_budget("availability")), 0.05),
    )


def _duration(slo: Slo, track: Track) -> timeseries.Panel:
    latency = slo.settings.latency
    threshold = duration_seconds(latency.threshold) if latency else None
    return graph(
        f"Duration, {track}",
        "Percentiles of the request duration. Each point is a request with a trace.",
        "s",
        *(
            query(
                latency_quantile(quantile, _on_route(slo, track), "$__rate_interval"),
                f"p{quantile * 100:g}",
                exemplars=True,
            )
            for quantile in (0.5, 0.95, 0.99)
        ),
        thresholds=(threshold, 2 * threshold) if threshold else None,
    )


def _routes(service: str) -> tuple[Panel, ...]:
    on_route = f'{service},path=~"$path"'
    return (
        graph(
            "Requests by route",
            "Requests per second by method and route, of all tracks.",
            "reqps",
            query(
                "sum by (method, path) "
                f"(rate(http_requests_total{{{on_route}}}[$__rate_interval]))",
                "{{method}} {{path}}",
            ),
        ),
        graph(
            "p95 by route",
            "95th percentile of the request duration, of all tracks.",
            "s",
            query(
                latency_quantile(0.95, on_route, "$__rate_interval", "path"),
                "{{path}}",
                exemplars=True,
            ),
        ),
    )


def _in_flight(service: str) -> timeseries.Panel:
    return graph(
        "Requests in flight",
        "Concurrent requests by pod. Many at a low rate mean that requests are blocked.",
        "short",
        query(f"sum by (track, pod) (http_requests_in_flight{{{service}}})", "{{pod}}"),
    ).span(8)


def pods_by_version(slo: Slo) -> timeseries.Panel:
    """Number of pods of each version and track."""
    return graph(
        "Pods by version",
        "Pods of each version. During a rollout, a track has pods of two versions.",
        "short",
        query(
            f"sum by (track, version) (beacon_build_info{{{slo.selector()}}})",
            "{{track}} {{version}}",
        ),
        stacked=True,
    )


def _faults(service: str) -> timeseries.Panel:
    return graph(
        "Panics and injected faults",
        "Panics of handlers and faults injected for a drill, per second. Normally 0.",
        "cps",
        query(
            f"sum by (track) (rate(beacon_panics_total{{{service}}}[$__rate_interval]))",
            "panics, {{track}}",
        ),
        query(
            "sum by (track, kind) "
            f"(rate(beacon_faults_injected_total{{{service}}}[$__rate_interval]))",
            "injected {{kind}}, {{track}}",
        ),
    ).span(8)
