"""``metrics`` of a service: where its Prometheus metrics are and what they are called."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.errors import FieldError
from settings.ports import HTTP, PortName
from settings.prometheus_formats import LabelName, RegularExpression
from settings.request_metrics import CONVENTIONS, Convention, DurationUnit, RequestMetricNames
from settings.section import Section
from settings.string_formats import MetricName, UrlPath

Buckets = Annotated[
    tuple[Annotated[float, Field(ge=0.0001, le=3600)], ...],
    Field(strict=False, min_length=1, max_length=50),
]


class RequestLabels(Section):
    """Labels of the request metrics. Default: those of the convention."""

    method: LabelName | None = None
    """HTTP method, or gRPC service."""
    route: LabelName | None = None
    """Route pattern, or gRPC method."""
    status: LabelName | None = None
    """HTTP status code, or gRPC code."""


class ServiceMetrics(Section):
    """Prometheus metrics of the service. `convention` names its request metrics."""

    port: PortName = HTTP
    """Name of the port."""
    path: UrlPath = "/metrics"
    """Path of the metrics."""
    convention: Convention = "prometheus"
    """`prometheus`: `http_requests_total{method,path,status}`. `custom`: the keys below."""
    requests: MetricName | None = None
    """Counter of requests. Default: that of the convention, or the count of `duration`."""
    duration: MetricName | None = None
    """Histogram of the request duration, without `_bucket`. Default: that of the convention."""
    duration_unit: DurationUnit | None = None
    """Unit of the histogram. Default: that of the convention, seconds."""
    buckets: Buckets | None = None
    """Upper bounds of the histogram, in seconds. Default: those of the convention."""
    labels: RequestLabels = RequestLabels.model_construct()
    errors: RegularExpression | None = None
    """Statuses of failed requests. Default: `5..`, or the gRPC codes that are server errors."""
    in_flight: MetricName | None = "http_requests_in_flight"
    """Gauge of the requests in flight. `null`: none."""

    @property
    def request_metrics(self) -> RequestMetricNames | None:
        """Names of the request metrics. ``None``: the service has no request metrics."""
        preset = CONVENTIONS[self.convention]
        requests = self.requests or preset.requests
        duration = self.duration or preset.duration
        if not requests and not duration:
            return None
        labels = {name: label for name, label in self.labels.model_dump().items() if label}
        return RequestMetricNames(
            requests=requests,
            duration=duration,
            duration_unit=self.duration_unit or preset.duration_unit,
            buckets=self.buckets or preset.buckets,
            labels={**preset.labels, **labels},
            errors=self.errors or preset.errors,
        )

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.buckets and list(self.buckets) != sorted(set(self.buckets)):
            yield FieldError("buckets", self.buckets, "ascending numbers")
