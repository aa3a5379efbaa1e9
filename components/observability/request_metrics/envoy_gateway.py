"""Request metrics of Envoy Gateway."""

from collections.abc import Iterator

from components.observability.queries import duration_series, requests_series
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    bucket_labels_in_seconds,
    rename_labels,
)
from components.observability.rule import Rule


class EnvoyGatewayRequestMetrics(ProxyRequestMetrics):
    """Metrics of the Envoys of Envoy Gateway.

    A cluster of Envoy is a rule of the HTTPRoute, not one of its backends: while a canary gets
    requests, those of both tracks are counted together, and the promotion gate has no result.
    """

    def request_rules(self, window: str) -> Iterator[Rule]:
        matchers = f'envoy_cluster_name=~"(http|grpc)route/{self.namespace}/{self.route}/rule/.+"'
        counter = f"rate(envoy_cluster_upstream_rq{{{matchers}}}[{window}])"
        requests = rename_labels(counter, [("envoy_response_code", "status")])
        yield self.record_track(
            requests_series(window), f"sum by (status) ({requests})", "all", window
        )
        for label, le in bucket_labels_in_seconds(self.buckets):
            buckets = f"envoy_cluster_upstream_rq_time_bucket{{{matchers},{label}}}"
            yield self.record_track(
                duration_series(window), f"sum(rate({buckets}[{window}]))", "all", window, le=le
            )
