"""``slo`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.prometheus_formats import PromQL
from settings.quantities import duration_format, duration_seconds
from settings.section import Section

Objective = Annotated[float, Field(ge=50, le=99.999)]
Source = Literal["service", "proxy", "queries"]
_DEFAULT_THRESHOLD_SECONDS = 0.25


class LatencyObjective(Section):
    """Latency objective."""

    objective: Objective = 99.0
    """Percentage of requests within the threshold."""
    threshold: Annotated[str, duration_format("1ms", "1h")] | None = None
    """Latency threshold: a bucket of the duration histogram. Default: the first from 250ms on."""

    def seconds(self, buckets: tuple[float, ...]) -> float | None:
        """The threshold. ``None``: it is not one of the ``buckets``."""
        if self.threshold is None:
            return min(
                (bucket for bucket in buckets if bucket >= _DEFAULT_THRESHOLD_SECONDS),
                default=max(buckets),
            )
        seconds = round(duration_seconds(self.threshold), 6)
        return next((bucket for bucket in buckets if round(bucket, 6) == seconds), None)


class SloQueries(Section):
    """PromQL queries. `$selector` stands for the matchers of namespace and service."""

    requests: PromQL
    """Requests per second over 5 minutes, with any of the labels track, version, route, status."""
    errors: PromQL | None = None
    """Failed requests per second over 5 minutes. Default: those with a status of 5xx."""
    duration: PromQL | None = None
    """Requests per second over 5 minutes by `le`, in seconds. Default: no durations."""
    buckets: Annotated[
        tuple[Annotated[float, Field(ge=0.0001, le=3600)], ...], Field(strict=False, max_length=50)
    ] = ()
    """Upper bounds in `duration`, in seconds."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.duration and not self.buckets:
            yield FieldError("buckets", self.buckets, "the upper bounds in queries.duration")


class SloSettings(Section):
    """Service level objective. It defines alerts, dashboards and the canary's promotion gate."""

    source: Source | None = None
    """Requests are measured by the service or the proxy. Default: `service` if it has metrics."""
    availability: Objective = 99.9
    """Percentage of requests without a 5xx status code."""
    latency: LatencyObjective | None = LatencyObjective.model_construct()
    """`null`: none."""
    window_days: Annotated[int, Field(ge=7, le=90)] = 30
    """Rolling window of the objectives, in days."""
    queries: SloQueries | None = None
    """Queries with `source: queries`."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.source == "queries" and self.queries is None:
            yield FieldError("source", self.source, '"service" or "proxy", or add slo.queries')
        if self.queries and self.source != "queries":
            yield FieldError("source", self.source, '"queries", or remove slo.queries')

    def bucket_errors(self, buckets: tuple[float, ...]) -> Iterator[FieldError]:
        """Errors of a threshold that the source of the requests has no bucket for."""
        if self.latency and not buckets and "latency" in self.model_fields_set:
            yield FieldError(
                "latency.objective",
                self.latency.objective,
                "latency: null, or a source with a histogram of durations",
            )
        if self.latency and buckets and self.latency.seconds(buckets) is None:
            bounds = ", ".join(format_seconds(bucket) for bucket in buckets)
            allowed = f"a bucket of the duration histogram: {bounds}"
            yield FieldError("latency.threshold", self.latency.threshold, allowed)


def format_seconds(seconds: float) -> str:
    """Format a duration such as ``250ms`` or ``1.2s``."""
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
