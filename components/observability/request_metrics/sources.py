"""Sources of request metrics: the service itself, a proxy, or queries."""

from components.observability.request_metrics.envoy_gateway import EnvoyGatewayRequestMetrics
from components.observability.request_metrics.ingress_nginx import IngressNginxRequestMetrics
from components.observability.request_metrics.istio import IstioRequestMetrics
from components.observability.request_metrics.istio_sidecar import IstioSidecarRequestMetrics
from components.observability.request_metrics.queries import QueriedRequestMetrics
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    RequestMetrics,
)
from components.observability.request_metrics.service import ServiceRequestMetrics
from components.observability.request_metrics.traefik import TraefikRequestMetrics
from components.track_roles import TrackRoles
from settings import Proxy, ProxyMetrics, Service

_PROXIES: dict[Proxy, type[ProxyRequestMetrics]] = {
    "traefik": TraefikRequestMetrics,
    "ingress-nginx": IngressNginxRequestMetrics,
    "envoy-gateway": EnvoyGatewayRequestMetrics,
    "istio": IstioRequestMetrics,
}
_HTTP_ERRORS = "5.."
"""Regular expression of the statuses of failed requests to a proxy."""
_QUERIED_ERRORS = "error|5.."
"""The same for the status label of queries."""


def request_metrics_of(
    service: Service, namespace: str, proxy: ProxyMetrics
) -> RequestMetrics | None:
    """Request metrics from the ``slo.source`` of the service. ``None``: it has no source."""
    match service.request_source:
        case "service":
            names = service.metrics and service.metrics.request_metrics
            if names is None:
                return None
            buckets = names.buckets if names.duration else ()
            return ServiceRequestMetrics(
                namespace, service.name, buckets, names.errors, names, service.probe_paths
            )
        case "proxy" if proxy.implementation == "istio-sidecar":
            ports = tuple(service.ports[port] for port in service.routes)
            return IstioSidecarRequestMetrics(
                namespace, service.name, proxy.upper_bounds, _HTTP_ERRORS, ports
            )
        case "proxy":
            names = map(service.route_name, service.routes)
            return _PROXIES[proxy.implementation](
                namespace,
                service.name,
                proxy.upper_bounds,
                _HTTP_ERRORS,
                TrackRoles.of(service),
                tuple(name for name in names if name != service.name),
            )
        case "queries":
            queries = service.slo and service.slo.queries
            return queries and QueriedRequestMetrics(
                namespace, service.name, queries.buckets, _QUERIED_ERRORS, queries
            )
    return None
