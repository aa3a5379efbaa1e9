"""Gateway API implementation: one HTTPRoute or GRPCRoute with weights."""

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.routing.dns import dns_annotations
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import GatewaySettings, Route, RoutingSettings

_GROUP = "gateway.networking.k8s.io"
GATEWAY_API = f"{_GROUP}/v1"
HSTS = "Strict-Transport-Security"
"""Response header that makes browsers use HTTPS only."""

Json = dict[str, Any]


class GatewayRouter(Router):
    """Route attached to an existing Gateway, and to the TLS listeners of the service."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        split, route = args["split"], args["route"]
        is_grpc = route.protocol == "grpc"
        rules = [*_override_rules(split), _weighted_rule(split)]
        annotations = dns_annotations(args["settings"].dns)
        CustomResource(
            f"{self.name}-route",
            api_version=GATEWAY_API,
            kind="GRPCRoute" if is_grpc else "HTTPRoute",
            metadata={
                "name": self.name,
                "namespace": args["namespace"],
                "labels": self.labels,
                **({"annotations": annotations} if annotations else {}),
            },
            spec={
                "parentRefs": parent_refs(args["settings"], args["service"], args["namespace"]),
                "hostnames": [*split.hosts],
                "rules": [
                    _grpc(one) if is_grpc else _http(one, route, args["settings"]) for one in rules
                ],
            },
            opts=opts,
        )


def hsts(routing: RoutingSettings) -> dict[str, str]:
    """Header :data:`HSTS` of all responses. Empty: none."""
    seconds = routing.tls.hsts_seconds
    return {HSTS: f"max-age={seconds}"} if routing.tls.is_enabled and seconds else {}


def _http(rule: Json, route: Route, routing: RoutingSettings) -> Json:
    seconds = route.request_timeout_seconds
    headers = [{"name": name, "value": value} for name, value in hsts(routing).items()]
    modifier = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}
    return (
        rule
        | ({"timeouts": {"request": f"{seconds}s"}} if seconds else {})
        | ({"filters": [modifier]} if headers else {})
    )


def _grpc(rule: Json) -> Json:
    """A rule without the paths, which a GRPCRoute does not have."""
    headers = [{"headers": match["headers"]} for match in rule["matches"] if "headers" in match]
    return {"backendRefs": rule["backendRefs"]} | ({"matches": headers} if headers else {})


def parent_refs(routing: RoutingSettings, service: str, namespace: str) -> list[Json]:
    """Listeners of the routes of ``service``.

    With TLS, they are those of the service, and the plain ones only without a redirect.
    """
    plain = plain_listener(routing.gateway)
    if not routing.tls.is_enabled:
        return [plain]
    kind = "Gateway" if routing.gateway.class_name else "ListenerSet"
    own = gateway_ref(service, namespace, kind)
    return [own] if routing.tls.redirect else [own, plain]


def plain_listener(gateway: GatewaySettings) -> Json:
    """Reference to the listeners of the settings."""
    ref = gateway_ref(gateway.name, gateway.namespace)
    return ref | ({"sectionName": gateway.section_name} if gateway.section_name else {})


def gateway_ref(name: str, namespace: str, kind: str = "Gateway") -> Json:
    """Reference to a Gateway or a ListenerSet."""
    return {"group": _GROUP, "kind": kind, "name": name, "namespace": namespace}


def _weighted_rule(split: TrafficSplit) -> Json:
    return {
        "matches": [_match(path) for path in split.paths],
        "backendRefs": [_backend_ref(backend, backend.weight) for backend in split.backends],
    }


def _override_rules(split: TrafficSplit) -> list[Json]:
    """Rules for the header, then for the cookie: of equal matches the first rule applies.

    ingress-nginx has the same precedence.
    """
    override = split.active_override
    header_matches = []
    if override.header:
        header_matches.append(
            lambda value: {"type": "Exact", "name": override.header, "value": value}
        )
    if override.cookie:
        header_matches.append(
            lambda value: {
                "type": "RegularExpression",
                "name": "Cookie",
                "value": rf"(^|.*;\s*){override.cookie}={value}(;.*|$)",
            }
        )
    return [
        {
            "matches": [_match(path) | {"headers": [match(value)]} for path in split.paths],
            "backendRefs": [_backend_ref(backend, 1)],
        }
        for match in header_matches
        for value, backend in (("always", split.canary), ("never", split.stable))
        if backend
    ]


def _match(path: str) -> Json:
    return {"path": {"type": "PathPrefix", "value": path}}


def _backend_ref(backend: Backend, weight: int) -> Json:
    return {
        "group": "",
        "kind": "Service",
        "name": backend.service,
        "port": backend.port,
        "weight": weight,
    }
