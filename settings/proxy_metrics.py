"""``observability.proxy``: request metrics of the proxy in front of the services."""

from settings.request_metrics import PROXY_BUCKETS, Proxy
from settings.section import Section
from settings.service_metrics import Buckets


class ProxyMetrics(Section):
    """Request metrics of the proxy, for services without metrics of their own."""

    implementation: Proxy = "traefik"
    """The proxy. Traefik needs `--metrics.prometheus.addServicesLabels`."""
    buckets: Buckets | None = None
    """Upper bounds of its duration histogram, in seconds. Default: the proxy's own default."""

    @property
    def upper_bounds(self) -> tuple[float, ...]:
        """Buckets of the histogram, in seconds."""
        return self.buckets or PROXY_BUCKETS[self.implementation]
