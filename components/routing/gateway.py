"""Gateway API implementation: one HTTPRoute or GRPCRoute with weights."""

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import GatewaySettings, Route

Json = dict[str, Any]


class GatewayRouter(Router):
    """Route attached to an existing Gateway."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        split, route = args["split"], args["route"]
        is_grpc = route.protocol == "grpc"
        rules = [*_override_rules(split), _weighted_rule(split)]
        CustomResource(
            f"{self.name}-route",
            api_version="gateway.networking.k8s.io/v1",
            kind="GRPCRoute" if is_grpc else "HTTPRoute",
            metadata={
                "name": self.name,
                "namespace": args["namespace"],
                "labels": self.labels,
            },
            spec={
                "parentRefs": [_parent_ref(args["settings"].gateway)],
                "hostnames": [*split.hosts],
                "rules": [_grpc(one) if is_grpc else _http(one, route) for one in rules],
            },
            opts=opts,
        )


def _http(rule: Json, route: Route) -> Json:
    seconds = route.request_timeout_seconds
    return rule | ({"timeouts": {"request": f"{seconds}s"}} if seconds else {})


def _grpc(rule: Json) -> Json:
    """A rule without the paths, which a GRPCRoute does not have."""
    headers = [{"headers": match["headers"]} for match in rule["matches"] if "headers" in match]
    return {"backendRefs": rule["backendRefs"]} | ({"matches": headers} if headers else {})


def _parent_ref(gateway: GatewaySettings) -> Json:
    ref = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": gateway.name,
        "namespace": gateway.namespace,
    }
    return ref | ({"sectionName": gateway.section_name} if gateway.section_name else {})


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
