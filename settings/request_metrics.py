"""Request metrics that programs export: names, labels and histogram buckets, by convention."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

DurationUnit = Literal["seconds", "milliseconds"]
Convention = Literal["prometheus", "opentelemetry", "podinfo", "grpc", "custom"]

CLIENT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Default buckets of Prometheus' client libraries, in seconds."""
_OPENTELEMETRY_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_GRPC_ERRORS = "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"


@dataclass(frozen=True)
class RequestMetricNames:
    """Names and labels of a program's request metrics."""

    requests: str | None
    """Counter. ``None``: the count of the histogram."""
    duration: str | None
    """Histogram, without the suffix ``_bucket``. ``None``: no durations."""
    duration_unit: DurationUnit = "seconds"
    buckets: tuple[float, ...] = CLIENT_BUCKETS
    """Upper bounds of the histogram, in seconds."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Label names for ``method``, ``route`` and ``status``. A label may be missing."""
    errors: str = "5.."
    """Regular expression of the statuses of failed requests."""


CONVENTIONS: dict[Convention, RequestMetricNames] = {
    "prometheus": RequestMetricNames(
        requests="http_requests_total",
        duration="http_request_duration_seconds",
        labels={"method": "method", "route": "path", "status": "status"},
    ),
    "opentelemetry": RequestMetricNames(
        requests=None,
        duration="http_server_request_duration_seconds",
        buckets=_OPENTELEMETRY_BUCKETS,
        labels={
            "method": "http_request_method",
            "route": "http_route",
            "status": "http_response_status_code",
        },
    ),
    # Its counter has only the label status; the count of its histogram has all three.
    "podinfo": RequestMetricNames(
        requests=None,
        duration="http_request_duration_seconds",
        labels={"method": "method", "route": "path", "status": "status"},
    ),
    "grpc": RequestMetricNames(
        requests="grpc_server_handled_total",
        duration="grpc_server_handling_seconds",
        labels={"method": "grpc_service", "route": "grpc_method", "status": "grpc_code"},
        errors=_GRPC_ERRORS,
    ),
    "custom": RequestMetricNames(requests=None, duration=None),
}
"""Metrics of services. ``grpc``: the interceptors of go-grpc-middleware."""
