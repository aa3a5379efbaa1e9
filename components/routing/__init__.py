"""HTTP routing from outside the cluster, as Ingresses, HTTPRoutes or VirtualServices."""

from components.routing.gateway import GatewayRouter
from components.routing.ingress import IngressRouter
from components.routing.istio import DestinationRules, IstioRouter
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from components.routing.tls import ServiceTls
from settings import RoutingBackend

__all__ = [
    "ROUTERS",
    "Backend",
    "DestinationRules",
    "Router",
    "RouterArgs",
    "ServiceTls",
    "TrafficSplit",
]

ROUTERS: dict[RoutingBackend, type[Router]] = {
    "ingress": IngressRouter,
    "gateway": GatewayRouter,
    "istio": IstioRouter,
}
"""Router of each ``routing.backend``."""
