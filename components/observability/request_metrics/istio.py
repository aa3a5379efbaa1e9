"""Request metrics of Istio."""

from collections.abc import Iterator

from components.observability.queries import duration_series, requests_series
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    bucket_labels_in_seconds,
    rename_labels,
)
from components.observability.rule import Rule


class IstioRequestMetrics(ProxyRequestMetrics):
    """Metrics of the proxy that sends a request: Istio's gateway, or the sidecar of a caller."""

    def request_rules(self, window: str) -> Iterator[Rule]:
        for track, deployment in self.roles.deployments.items():
            matchers = (
                f'reporter="source",destination_workload_namespace="{self.namespace}",'
                f'destination_workload="{deployment}"'
            )
            counter = f"rate(istio_requests_total{{{matchers}}}[{window}])"
            requests = rename_labels(counter, [("response_code", "status")])
            yield self.record_track(
                requests_series(window), f"sum by (status) ({requests})", track, window
            )
            for label, le in bucket_labels_in_seconds(self.buckets):
                buckets = f"istio_request_duration_milliseconds_bucket{{{matchers},{label}}}"
                yield self.record_track(
                    duration_series(window), f"sum(rate({buckets}[{window}]))", track, window, le=le
                )
