"""Traffic splits for tests, and the weights in the objects of each back end."""

from typing import Any

from components.routing import ROUTERS, Backend, RouterArgs, TrafficSplit
from settings import CanaryOverride, RoutingBackend
from tests.unit.harness import Registry, run
from tests.unit.stacks import service

NGINX = "nginx.ingress.kubernetes.io/"


def split(
    canary: int | None = 10,
    *,
    is_running: bool = True,
    override: CanaryOverride | None = None,
    hosts: tuple[str, ...] = ("beacon.localhost",),
    paths: tuple[str, ...] = ("/",),
) -> TrafficSplit:
    """Split with ``canary`` percent for the canary; ``None``: without a canary track."""
    backends = [Backend("stable", "beacon-stable", 8080, 100 - (canary or 0))]
    if canary is not None:
        backends.append(Backend("canary", "beacon-canary", 8080, canary, is_running))
    return TrafficSplit(hosts, paths, tuple(backends), override or CanaryOverride())


def routed(
    backend: RoutingBackend,
    traffic: TrafficSplit,
    *,
    tls_secret: str | None = None,
    **routing: Any,
) -> Registry:
    """Resources that a back end registers for a split."""
    settings = service(routing={"backend": backend, **routing}).routing
    assert settings
    args = RouterArgs(
        service="beacon",
        namespace="home",
        split=traffic,
        route=settings,
        settings=settings,
        tls_secret=tls_secret,
    )
    return run(lambda: ROUTERS[backend]("beacon", args))


def ingress_weights(registry: Registry, path: str) -> dict[str, int]:
    """Percentage per Service, computed from Ingresses as ingress-nginx does."""
    weights, stable = {}, ""
    for ingress in registry.of_kind("Ingress"):
        annotations = ingress.inputs["metadata"].get("annotations", {})
        rule, *_ = ingress.inputs["spec"]["rules"]
        (service,) = (
            one["backend"]["service"]["name"]
            for one in rule["http"]["paths"]
            if one["path"] == path
        )
        if annotations.get(f"{NGINX}canary") == "true":
            total = int(annotations[f"{NGINX}canary-weight-total"])
            weights[service] = int(annotations[f"{NGINX}canary-weight"]) * 100 // total
        else:
            stable = service
    return {stable: 100 - sum(weights.values()), **weights}


def route_weights(registry: Registry, path: str) -> dict[str, int]:
    """Percentage per Service, computed from an HTTPRoute as the Gateway API specifies."""
    (rule,) = (
        rule
        for rule in registry.one("HTTPRoute")["spec"]["rules"]
        for match in rule["matches"]
        if match["path"]["value"] == path and "headers" not in match
    )
    total = sum(ref["weight"] for ref in rule["backendRefs"])
    return {ref["name"]: ref["weight"] * 100 // total for ref in rule["backendRefs"]}


def virtual_service_weights(registry: Registry, path: str) -> dict[str, int]:
    """Percentage per Service, computed from a VirtualService as Istio does: first match first."""
    rule = next(
        rule
        for rule in registry.one("VirtualService")["spec"]["http"]
        for match in rule["match"]
        if "headers" not in match and _matches(match["uri"], path)
    )
    total = sum(one["weight"] for one in rule["route"])
    return {one["destination"]["host"]: one["weight"] * 100 // total for one in rule["route"]}


def _matches(uri: dict[str, str], path: str) -> bool:
    return uri.get("exact") == path or ("prefix" in uri and path.startswith(uri["prefix"]))


WEIGHTS = {
    "ingress": ingress_weights,
    "gateway": route_weights,
    "istio": virtual_service_weights,
}
