"""``metrics`` of a service."""

from settings.ports import HTTP, PortName
from settings.section import Section
from settings.string_formats import UrlPath


class ServiceMetrics(Section):
    """Prometheus metrics of the service."""

    port: PortName = HTTP
    """Name of the port."""
    path: UrlPath = "/metrics"
    """Request path."""
