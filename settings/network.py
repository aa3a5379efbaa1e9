"""``slipway:network``."""

from settings.section import Section
from settings.string_formats import DnsLabel


class Network(Section):
    """Namespaces that network policies allow ingress from. All other ingress is denied."""

    proxy_namespace: DnsLabel = "ingress"
    """Namespace of the proxies that serve Ingresses or Gateways."""
    monitoring_namespace: DnsLabel = "monitoring"
    """Namespace of Prometheus. With `observability.mode: bundled` it is created by the stack."""
