"""End of the strategy ``progressive`` for a service whose HTTPRoute Flagger has created.

Kubernetes deletes the HTTPRoute of a Canary together with its pods. The proxy would still send
requests to the pods for a short time, so the HTTPRoute is deleted first.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from settings import Settings

PROXY_SECONDS = 5
"""Time after which a proxy has read a deleted route."""
_KIND = "canaries.flagger.app"


def replaced_canaries(settings: Settings, environment: Mapping[str, str]) -> Sequence[str]:
    """Names of the Canaries with an HTTPRoute that the update replaces by another route.

    Empty if the cluster cannot be read: it may have no Canaries at all.
    """
    try:
        found = kubectl.get(
            *(_KIND, "--namespace", settings.namespace.name),
            environment=environment,
            context=settings.cluster.context,
        )
    except CommandError:
        return []
    routed = {
        f"{service.name}-{service.release.object_track('canary')}"
        for service in settings.progressive
        if service.routing and service.routing.backend == "gateway"
    }
    return [
        name
        for name in _with_route(found.get("items", ()))
        if name not in routed and _service_of(name) in settings.services
    ]


def exclusions(canaries: Iterable[str]) -> Iterator[str]:
    """Arguments of an update that keeps the Canaries with all that belongs to them."""
    for pattern in (*canaries, "flagger"):
        yield from ("--exclude", f"**::{pattern}**")


def delete_routes(
    canaries: Iterable[str], settings: Settings, environment: Mapping[str, str]
) -> None:
    """Delete the HTTPRoutes of the Canaries, and wait until the proxy has read that."""
    options: dict[str, Any] = {"environment": environment, "context": settings.cluster.context}
    namespace = settings.namespace.name
    for name in canaries:
        # Flagger would create the route again.
        metadata = {"name": name, "namespace": namespace}
        canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata}
        kubectl.apply({**canary, "spec": {"suspend": True}}, **options)
        kubectl.delete("httproute", name, namespace, **options)
    time.sleep(PROXY_SECONDS)


def _with_route(canaries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for canary in canaries:
        if canary["spec"].get("provider", "").startswith("gatewayapi"):
            yield canary["metadata"]["name"]


def _service_of(canary: str) -> str:
    return canary.removesuffix("-progressive")
