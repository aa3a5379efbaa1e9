"""HTTP routing from outside the cluster, as Ingresses or as an HTTPRoute."""

from components.routing.gateway import GatewayRouter
from components.routing.ingress import IngressRouter
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from components.routing.tls import ServiceTls
from settings import RoutingBackend

__all__ = ["ROUTERS", "Backend", "Router", "RouterArgs", "ServiceTls", "TrafficSplit"]

ROUTERS: dict[RoutingBackend, type[Router]] = {"ingress": IngressRouter, "gateway": GatewayRouter}
"""Router of each ``routing.backend``."""
