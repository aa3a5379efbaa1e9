"""Request metrics of a service, from one source of several."""

from components.observability.request_metrics.envoy_gateway import EnvoyGatewayRequestMetrics
from components.observability.request_metrics.ingress_nginx import IngressNginxRequestMetrics
from components.observability.request_metrics.istio import IstioRequestMetrics
from components.observability.request_metrics.queries import QueriedRequestMetrics
from components.observability.request_metrics.request_metrics import (
    ProxyRequestMetrics,
    RequestMetrics,
    bucket_label,
)
from components.observability.request_metrics.service import ServiceRequestMetrics
from components.observability.request_metrics.traefik import TraefikRequestMetrics
from settings import Proxy

__all__ = [
    "PROXIES",
    "ProxyRequestMetrics",
    "QueriedRequestMetrics",
    "RequestMetrics",
    "ServiceRequestMetrics",
    "bucket_label",
]

PROXIES: dict[Proxy, type[ProxyRequestMetrics]] = {
    "traefik": TraefikRequestMetrics,
    "ingress-nginx": IngressNginxRequestMetrics,
    "envoy-gateway": EnvoyGatewayRequestMetrics,
    "istio": IstioRequestMetrics,
}
