"""Request metrics of the sidecars of Istio."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.observability.queries import duration_series, requests_series, selector
from components.observability.request_metrics.request_metrics import (
    RequestMetrics,
    bucket_labels_in_seconds,
    rename_labels,
)
from components.observability.rule import Rule


@dataclass(frozen=True)
class IstioSidecarRequestMetrics(RequestMetrics):
    """Metrics of Envoy in the sidecars, whose targets have the labels track and version.

    Envoy counts the requests that it sends to the container, also those of callers in the mesh. A
    request that finds no ready pod is not counted.
    """

    ports: tuple[int, ...]
    """Container ports that requests are routed to."""

    def request_rules(self, window: str) -> Iterator[Rule]:
        ports = "|".join(map(str, self.ports))
        matchers = (
            f'{selector(self.namespace, self.service)},cluster_name=~"inbound[|]({ports})[|].*"'
        )
        counter = f"rate(envoy_cluster_upstream_rq{{{matchers}}}[{window}])"
        requests = rename_labels(counter, [("response_code", "status")])
        yield self.record(requests_series(window), f"sum by (track, version, status) ({requests})")
        for label, le in bucket_labels_in_seconds(self.buckets):
            buckets = f"envoy_cluster_upstream_rq_time_bucket{{{matchers},{label}}}"
            yield self.record(
                duration_series(window),
                f"sum by (track, version) (rate({buckets}[{window}]))",
                le=le,
            )
