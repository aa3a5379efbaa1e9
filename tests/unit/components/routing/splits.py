"""Splits to route, and what two back ends make of them, read back into shares."""

from typing import Any

from components.routing import ROUTERS, Backend, TrafficSplit
from settings import Backend as BackendName
from settings import CanaryTesters
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

NGINX = "nginx.ingress.kubernetes.io/"


def split(
    canary: int | None = 10,
    *,
    is_running: bool = True,
    testers: CanaryTesters | None = None,
    paths: tuple[str, ...] = ("/",),
) -> TrafficSplit:
    """Stable, and a canary of ``canary`` percent unless that is ``None``."""
    backends = [Backend("stable", "beacon-stable", 8080, 100 - (canary or 0))]
    if canary is not None:
        backends.append(Backend("canary", "beacon-canary", 8080, canary, is_running))
    return TrafficSplit("beacon.localhost", paths, tuple(backends), testers or CanaryTesters())


def routed(
    backend: BackendName,
    traffic: TrafficSplit,
    config: dict[str, Any] | None = None,
    **routing: Any,
) -> Registry:
    """What a back end registers for a split."""
    stack = settings(routing={"backend": backend, **routing}, config=config or {})
    return run(
        lambda: ROUTERS[backend](
            "beacon",
            {
                "namespace": "home",
                "split": traffic,
                "settings": stack.routing,
                "config": stack.config,
            },
        )
    )


def shares_of_ingresses(registry: Registry, path: str) -> dict[str, int]:
    """Percent by Service, as ingress-nginx reads Ingresses."""
    weights, stable = {}, ""
    for ingress in registry.of_kind("Ingress"):
        annotations = ingress.inputs["metadata"].get("annotations", {})
        (rule,) = ingress.inputs["spec"]["rules"]
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


def shares_of_route(registry: Registry, path: str) -> dict[str, int]:
    """Percent by Service, as the Gateway API reads an HTTPRoute."""
    (rule,) = (
        rule
        for rule in registry.one("HTTPRoute")["spec"]["rules"]
        for match in rule["matches"]
        if match["path"]["value"] == path and "headers" not in match
    )
    total = sum(reference["weight"] for reference in rule["backendRefs"])
    return {one["name"]: one["weight"] * 100 // total for one in rule["backendRefs"]}


SHARES = {"ingress": shares_of_ingresses, "gateway": shares_of_route}
