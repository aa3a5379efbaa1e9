"""Names in the cluster that another stack owns: namespaces, and host names with their paths."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from components.labels import STACK_ANNOTATION
from settings import PROJECT, RoutingSettings, Settings

Object = Mapping[str, Any]
_GATEWAY_ROUTES = ("HTTPRoute", "GRPCRoute")
_KINDS = (
    "namespaces",
    "ingresses.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
    "grpcroutes.gateway.networking.k8s.io",
)
"""A cluster without the Gateway API does not have the last two."""
_VIRTUAL_SERVICE = "VirtualService"
_ISTIO_KIND = "virtualservices.networking.istio.io"


def namespace_conflicts(
    settings: Settings, stack: str, in_state: Collection[str], found: Collection[Object]
) -> Iterator[str]:
    """Yield a message for each namespace of the settings that is not the stack's own.

    ``stack`` is the stack with its project, as in :data:`STACK_ANNOTATION`. ``in_state`` has the
    namespaces in its state, and ``found`` those in the cluster. Pulumi would adopt an existing
    namespace, restrict it, and delete it with the stack.
    """
    owners = namespace_owners(found)
    for key, name in settings.namespaces.items():
        owner = owners.get(name)
        if name not in owners or owner == stack or (owner is None and name in in_state):
            continue
        owner_text = f"of stack {owner}" if owner else f"without the annotation {STACK_ANNOTATION}"
        instead = "another name"
        if key == "certManager.namespace":
            instead = f"the cert-manager in it: {PROJECT}:certManager.enabled false"
        yield (
            f"{PROJECT}:{key} is {name}: the cluster has this namespace, {owner_text}. Use "
            f"{instead}, or let {stack} own it and delete it at the end: "
            f"`kubectl annotate --overwrite namespace {name} {STACK_ANNOTATION}={stack}`"
        )


def namespace_owners(found: Collection[Object]) -> Mapping[str, str | None]:
    """Return the stack that owns each namespace; None if it has no :data:`STACK_ANNOTATION`."""
    return {
        one["metadata"]["name"]: one["metadata"].get("annotations", {}).get(STACK_ANNOTATION)
        for one in found
        if one["kind"] == "Namespace"
    }


def route_conflicts(
    settings: Settings, stack: str, in_state: Collection[str], found: Collection[Object]
) -> Iterator[str]:
    """Yield a message for each host and path that an object of another stack routes.

    The arguments are those of :func:`namespace_conflicts`.
    """
    owned = (name for name, owner in namespace_owners(found).items() if owner == stack)
    own = {settings.namespace.name, *in_state, *owned}
    others = [one for one in found if one["metadata"].get("namespace") not in own]
    reported: set[tuple[str, str]] = set()
    for service in settings.services.values():
        keys = {
            (host, path): f"{service.route_key(port)}.hosts"
            for port, route in service.routes.items()
            for host, path in product(route.hosts, route.paths)
        }
        if service.routing and (host := service.release.blue_green.preview_host):
            preview = "release.blueGreen.previewHost"
            keys |= {(host, path): preview for path in service.routing.paths}
        for route in others:
            if service.routing is None or _is_elsewhere(service.routing, route):
                continue
            for host, path in _routed(route):
                key = keys.get((host, path))
                if key and (host, path) not in reported:
                    reported.add((host, path))
                    place = f"{route['metadata']['namespace']}/{route['metadata']['name']}"
                    yield (
                        f"{PROJECT}:services.{service.name}.{key} has {host}: "
                        f"{route['kind']} {place} routes its path {path}. "
                        "Use another host or other paths"
                    )


def _routed(route: Object) -> Iterator[tuple[str, str]]:
    """Hosts with their paths. Empty for an object that is not a route."""
    if route["kind"] == "Ingress":
        for rule in route["spec"].get("rules", ()):
            for path in rule.get("http", {}).get("paths", ()):
                yield rule.get("host", ""), path.get("path", "/")
    elif route["kind"] in _GATEWAY_ROUTES:
        for rule in route["spec"].get("rules", ()):
            for match in rule.get("matches", ({},)):
                for host in route["spec"].get("hostnames", ()):
                    yield host, match.get("path", {}).get("value", "/")
    elif route["kind"] == _VIRTUAL_SERVICE:
        for rule in route["spec"].get("http", ()):
            for match in rule.get("match", ({},)):
                uri = match.get("uri", {})
                for host in route["spec"].get("hosts", ()):
                    yield host, uri.get("exact") or uri.get("prefix") or "/"


def _is_elsewhere(routing: RoutingSettings, route: Object) -> bool:
    """True if another proxy serves the route: another IngressClass, or another Gateway."""
    spec = route.get("spec", {})
    if route["kind"] == "Ingress" and routing.backend == "ingress":
        classes = (spec.get("ingressClassName"), routing.ingress.class_name)
        return None not in classes and classes[0] != classes[1]
    if route["kind"] in _GATEWAY_ROUTES and routing.backend == "gateway":
        own = (routing.gateway.namespace, routing.gateway.name)
        home = route["metadata"]["namespace"]
        parents = {
            (one.get("namespace", home), one.get("name")) for one in spec.get("parentRefs", ())
        }
        return own not in parents
    if route["kind"] == _VIRTUAL_SERVICE and routing.backend == "istio":
        gateway = routing.istio.gateway
        names = {f"{gateway.namespace}/{gateway.name}"}
        if route["metadata"]["namespace"] == gateway.namespace:
            names.add(gateway.name)
        return names.isdisjoint(spec.get("gateways", ()))
    return False


def stack_conflicts(
    settings: Settings, stack: str, namespaces: Collection[str], services: Collection[str]
) -> Iterator[str]:
    """Yield a message if the stack in the backend has no namespace or service of the settings.

    ``namespaces`` and ``services`` are those in its state. An update would delete all of them.
    """
    own = {*settings.namespaces.values()}
    if services and own.isdisjoint(namespaces) and settings.services.keys().isdisjoint(services):
        yield (
            f"stack {stack} in the backend has the services {', '.join(sorted(services))} in "
            f"namespace {', '.join(sorted(namespaces))}, and the stack file has none of them: "
            "another checkout may have deployed it. Use another project name in Pulumi.yaml, or "
            f"delete them first: `make down STACK={stack.rpartition('/')[2]}`"
        )


def objects(environment: Mapping[str, str], settings: Settings) -> list[Object]:
    """Namespaces and routes of the cluster of a stack; empty if it cannot be read."""
    context = settings.cluster.context
    routings = [one.routing for one in settings.services.values()]
    uses_istio = any(one and one.backend == "istio" for one in routings)
    kinds = [*_KINDS, *([_ISTIO_KIND] if uses_istio else ())]

    def listed(kinds: str) -> list[Object]:
        return kubectl.get(kinds, "--all-namespaces", environment=environment, context=context)[
            "items"
        ]

    def listed_if_readable(kind: str) -> list[Object]:
        try:
            return listed(kind)
        except CommandError:
            return []

    # In one call: a start of kubectl takes longer than its requests.
    while kinds:
        try:
            return listed(",".join(kinds))
        except CommandError as error:
            known = [
                kind
                for kind in kinds
                if f'resource type "{kind.partition(".")[0]}"' not in str(error)
            ]
            if known == kinds:
                break
            kinds = known
    # One of the kinds cannot be read.
    with ThreadPoolExecutor() as pool:
        return [one for items in pool.map(listed_if_readable, kinds) for one in items]
