"""Request metrics of ingress-nginx."""

from collections.abc import Iterator

from components.observability.queries import duration_series, requests_series
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    rename_labels,
)
from components.observability.rule import Rule


class IngressNginxRequestMetrics(ProxyRequestMetrics):
    """Metrics of ingress-nginx.

    Its own label ``namespace`` is that of the Ingress; Prometheus renames it, because the target
    has one too.
    """

    def request_rules(self, window: str) -> Iterator[Rule]:
        # The label `canary` is the upstream of the canary, or `-` or nothing.
        canary = f"{self.namespace}-{self.roles.service_pattern('canary')}-.+"
        for track, matcher in (
            ("stable", f'service=~"{self.roles.service_pattern("stable")}",canary=~"-?"'),
            ("canary", f'canary=~"{canary}"'),
        ):
            ingress = f'ingress{"=~" if self.additional_routes else "="}"{self.route}"'
            matchers = f'exported_namespace="{self.namespace}",{ingress},{matcher}'
            counter = f"rate(nginx_ingress_controller_requests{{{matchers}}}[{window}])"
            requests = rename_labels(counter, [("path", "route")])
            yield self.record_track(
                requests_series(window),
                f"sum by (method, route, status) ({requests})",
                track,
                window,
            )
            buckets = f"nginx_ingress_controller_request_duration_seconds_bucket{{{matchers}}}"
            durations = rename_labels(f"rate({buckets}[{window}])", [("path", "route")])
            yield self.record_track(
                duration_series(window), f"sum by (route, le) ({durations})", track, window
            )
