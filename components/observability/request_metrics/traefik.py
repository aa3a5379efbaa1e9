"""Request metrics of Traefik."""

from collections.abc import Iterator

from components.observability.queries import duration_series, requests_series
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    rename_labels,
)
from components.observability.rule import Rule
from settings import Track


class TraefikRequestMetrics(ProxyRequestMetrics):
    """Metrics of Traefik with ``--metrics.prometheus.addServicesLabels``.

    A request that finds no ready pod is not counted.
    """

    def request_rules(self, window: str) -> Iterator[Rule]:
        for track, services in self._services().items():
            matchers = f'service=~"{services}"'
            counter = f"rate(traefik_service_requests_total{{{matchers}}}[{window}])"
            requests = rename_labels(counter, [("code", "status")])
            yield self.record_track(
                requests_series(window), f"sum by (method, status) ({requests})", track, window
            )
            buckets = f"traefik_service_request_duration_seconds_bucket{{{matchers}}}"
            yield self.record_track(
                duration_series(window), f"sum by (le) (rate({buckets}[{window}]))", track, window
            )

    def _services(self) -> dict[Track, str]:
        """Regular expression of Traefik's names for the Service of each track.

        For an Ingress with ingress-nginx' annotations, it is the name of the Ingress and of the
        Service of stable, also for the canary, which adds ``-canary``.
        """
        service = self.roles.service_pattern("stable")
        main = f"{self.namespace}-{self.route}-{service}-[0-9]+"
        return {
            "stable": f"{main}@kubernetesingressnginx|{self._by_service('stable')}",
            "canary": f"{main}-canary@kubernetesingressnginx|{self._by_service('canary')}",
        }

    def _by_service(self, track: Track) -> str:
        """Names of the providers of Ingresses and of the Gateway API."""
        service = f"{self.namespace}-{self.roles.service_pattern(track)}"
        return f"{service}(-http)?-[0-9]+(-grpc)?@kubernetes(gateway)?"
