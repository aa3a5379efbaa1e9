"""Routing by the Gateway API: one HTTPRoute with weights."""

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import GatewaySettings

Json = dict[str, Any]


class GatewayRouter(Router):
    """An HTTPRoute on a Gateway that the cluster's operators run."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        split, identity = args["split"], self.identity
        CustomResource(
            f"{identity.name}-route",
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            metadata={
                "name": identity.object_name,
                "namespace": args["namespace"],
                "labels": identity.labels,
            },
            spec={
                "parentRefs": [_parent(args["settings"].gateway)],
                "hostnames": [split.host],
                "rules": [*_tester_rules(split), _weighted_rule(split)],
            },
            opts=opts,
        )


def _parent(gateway: GatewaySettings) -> Json:
    parent = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": gateway.name,
        "namespace": gateway.namespace,
    }
    return parent | ({"sectionName": gateway.listener} if gateway.listener else {})


def _weighted_rule(split: TrafficSplit) -> Json:
    return {
        "matches": [_match(path) for path in split.paths],
        "backendRefs": [_reference(backend, backend.weight) for backend in split.backends],
    }


def _tester_rules(split: TrafficSplit) -> list[Json]:
    """The header before the cookie, as ingress-nginx has it; of equals, the first rule wins."""
    testers = split.open_to
    marks = []
    if testers.header:
        marks.append(lambda value: {"type": "Exact", "name": testers.header, "value": value})
    if testers.cookie:
        marks.append(
            lambda value: {
                "type": "RegularExpression",
                "name": "Cookie",
                "value": rf"(^|.*;\s*){testers.cookie}={value}(;.*|$)",
            }
        )
    chosen = (("always", split.canary), ("never", split.stable))
    return [
        {
            "matches": [_match(path) | {"headers": [mark(value)]} for path in split.paths],
            "backendRefs": [_reference(backend, 1)],
        }
        for mark in marks
        for value, backend in chosen
        if backend
    ]


def _match(path: str) -> Json:
    return {"path": {"type": "PathPrefix", "value": path}}


def _reference(backend: Backend, weight: int) -> Json:
    return {
        "group": "",
        "kind": "Service",
        "name": backend.service,
        "port": backend.port,
        "weight": weight,
    }
