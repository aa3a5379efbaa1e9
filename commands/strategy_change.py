"""End of the strategy ``progressive`` for a service whose route Flagger has created.

Kubernetes deletes the HTTPRoute or the VirtualService of a Canary together with its pods. The proxy
would still send requests to the pods for a short time, so the route is deleted first.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from settings import Settings

PROXY_SECONDS = 5
"""Time after which a proxy has read a deleted route."""
_KIND = "canaries.flagger.app"
_ROUTES = {"gatewayapi": "httproutes", "istio": "virtualservices.networking.istio.io"}
"""Resource that Flagger creates, by its provider."""


def replaced_canaries(settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Canaries with a route that the update replaces by another one: its resource by their name.

    Empty if the cluster cannot be read: it may have no Canaries at all.
    """
    try:
        found = kubectl.get(
            *(_KIND, "--namespace", settings.namespace.name),
            environment=environment,
            context=settings.cluster.context,
        )
    except CommandError:
        return {}
    routed = {
        f"{service.name}-{service.release.object_track('canary')}"
        for service in settings.progressive
        if service.routing and service.routing.backend in ("gateway", "istio")
    }
    return {
        name: resource
        for name, resource in _with_route(found.get("items", ()))
        if name not in routed and _service_of(name) in settings.services
    }


def exclusions(canaries: Collection[str]) -> Iterator[str]:
    """Arguments of an update that keeps the Canaries with all that belongs to them."""
    for pattern in (*canaries, "flagger") if canaries else ():
        yield from ("--exclude", f"**::{pattern}**")


def delete_routes(
    canaries: Mapping[str, str], settings: Settings, environment: Mapping[str, str]
) -> None:
    """Delete the routes of the Canaries, and wait until the proxy has read that."""
    options: dict[str, Any] = {"environment": environment, "context": settings.cluster.context}
    namespace = settings.namespace.name
    for name, resource in canaries.items():
        # Flagger would create the route again.
        metadata = {"name": name, "namespace": namespace}
        canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata}
        kubectl.apply({**canary, "spec": {"suspend": True}}, **options)
        kubectl.delete(resource, name, namespace, **options)
    time.sleep(PROXY_SECONDS)


def _with_route(canaries: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Name of each Canary that has a route, and its resource."""
    for canary in canaries:
        provider = canary["spec"].get("provider", "").partition(":")[0]
        if provider in _ROUTES:
            yield canary["metadata"]["name"], _ROUTES[provider]


def _service_of(canary: str) -> str:
    return canary.removesuffix("-progressive")
