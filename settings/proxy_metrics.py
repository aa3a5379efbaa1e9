"""``observability.proxy``: request metrics of the proxy in front of the services."""

from typing import Literal

from settings.request_metrics import CLIENT_BUCKETS
from settings.section import Section
from settings.service_metrics import Buckets

Proxy = Literal["traefik", "ingress-nginx", "envoy-gateway", "istio", "istio-sidecar"]

_ENVOY_BUCKETS = (
    *(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
_DEFAULT_BUCKETS: dict[Proxy, tuple[float, ...]] = {
    "traefik": (0.1, 0.3, 1.2, 5.0),
    "ingress-nginx": CLIENT_BUCKETS,
    "envoy-gateway": _ENVOY_BUCKETS,
    "istio": _ENVOY_BUCKETS,
    "istio-sidecar": _ENVOY_BUCKETS,
}
"""Upper bounds of each proxy's duration histogram, in seconds."""


class ProxyMetrics(Section):
    """Request metrics of the proxy, for services without metrics of their own."""

    implementation: Proxy = "traefik"
    """The proxy. Traefik needs `--metrics.prometheus.addServicesLabels`. `istio` is the gateway,
    `istio-sidecar` are the sidecars of `mesh.istio`, which know the version too."""
    buckets: Buckets | None = None
    """Upper bounds of its duration histogram, in seconds. Default: the proxy's own default."""

    @property
    def upper_bounds(self) -> tuple[float, ...]:
        """Buckets of the histogram, in seconds."""
        return self.buckets or _DEFAULT_BUCKETS[self.implementation]
