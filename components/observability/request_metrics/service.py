"""Request metrics that the service exports itself."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.observability.queries import duration_series, requests_series, selector
from components.observability.request_metrics.request_metrics import (
    RequestMetrics,
    bucket_labels_in_seconds,
    rename_labels,
)
from components.observability.rule import Rule
from settings import RequestMetricNames

_TARGET_LABELS = "track, version"


@dataclass(frozen=True)
class ServiceRequestMetrics(RequestMetrics):
    """Metrics of the service's pods, whose targets have the labels track and version."""

    names: RequestMetricNames
    excluded_paths: tuple[str, ...] = ()
    """Paths of requests that are not the users': those of the probes and of the metrics."""

    @property
    def exemplars(self) -> str | None:
        return f"{self.names.duration}_bucket" if self.names.duration else None

    def request_rules(self, window: str) -> Iterator[Rule]:
        labels = {name: self.names.labels.get(name, name) for name in ("method", "route", "status")}
        matchers = self._matchers(labels["route"])
        renamed = [(source, target) for target, source in labels.items()]
        counter = self.names.requests or f"{self.names.duration}_count"
        rate = rename_labels(f"rate({counter}{{{matchers}}}[{window}])", renamed)
        yield self.record(
            requests_series(window),
            f"sum by ({_TARGET_LABELS}, method, route, status) (\n  {rate}\n)",
        )
        if self.names.duration is None:
            return
        by = f"{_TARGET_LABELS}, route"
        route = [(labels["route"], "route")]
        histogram = f"{self.names.duration}_bucket{{{matchers}"
        if self.names.duration_unit == "seconds":
            rate = rename_labels(f"rate({histogram}}}[{window}])", route)
            yield self.record(duration_series(window), f"sum by ({by}, le) (\n  {rate}\n)")
            return
        for label, le in bucket_labels_in_seconds(self.buckets):
            rate = rename_labels(f"rate({histogram},{label}}}[{window}])", route)
            yield self.record(duration_series(window), f"sum by ({by}) (\n  {rate}\n)", le=le)

    def _matchers(self, route: str) -> str:
        matchers = selector(self.namespace, self.service)
        patterns = "|".join(_route_pattern(path) for path in self.excluded_paths)
        return f'{matchers},{route}!~"{patterns}"' if patterns else matchers


def _route_pattern(path: str) -> str:
    """Regular expression of the route of a path, also of ``GET /healthz`` and of ``healthz``."""
    words = re.split(r"[^A-Za-z0-9]+", path.strip("/"))
    return f"(.*[^A-Za-z0-9])?{'[^A-Za-z0-9]+'.join(words)}[^A-Za-z0-9]*"
