"""Switch of the requests of a service to another track, before the update that declares it.

An update takes tens of seconds, and the version that is left would get requests meanwhile. So its
routes are applied first, as the program will declare them and with the field manager of Pulumi: the
update then finds them as they have to be. Nothing else changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from commands import kubectl
from commands.capacity import Capacity, shares_of
from commands.errors import CommandError
from commands.kubectl import Identity
from commands.ownership import namespace_owners
from components.labels import Identity as ObjectIdentity
from settings import Service, Settings
from settings.routing import PREVIEW, REDIRECT, WEIGHTED

_API = {"Ingress": "networking.k8s.io/v1", "VirtualService": "networking.istio.io/v1"}
_GATEWAY_API = "gateway.networking.k8s.io/v1"
_PULUMI = "pulumi-kubernetes"
"""Prefix of the field manager of an object that Pulumi has created."""
_CANARY = "nginx.ingress.kubernetes.io/canary-"
"""Prefix of the annotations of a canary Ingress: weight, and what selects it."""
_OVERRIDES = (f"{_CANARY}by-header", f"{_CANARY}by-cookie")

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class RouteSwitch:
    """Routes of a service that give all requests to one track."""

    routes: Sequence[Manifest]
    """Live objects, with their managed fields."""
    service: Service
    """The service before the switch, with strategy ``canary`` or ``blueGreen``."""
    namespace: str

    @classmethod
    def of(
        cls, settings: Settings, service: Service, owner: str, environment: Mapping[str, str]
    ) -> "RouteSwitch | None":
        """Read the cluster. ``None``: only an update can move the requests.

        That is the case unless the stack ``owner`` owns the namespace, and the other track has the
        ready pods that all requests need.
        """
        ports = [service.of_track(track).ports for track in service.release.tracks]
        if service.routing is None or service.is_knative or any(one != ports[0] for one in ports):
            return None
        namespace, context = settings.namespace.name, settings.cluster.context
        identities = [
            Identity("v1", "Namespace", namespace, None),
            *(Identity(*kind, name, namespace) for name, kind in _kinds(service)),
        ]
        before, track = shares_of(service.release), _target(service)
        capacity = Capacity(settings, environment)
        try:
            with ThreadPoolExecutor() as pool:
                is_ready = pool.submit(capacity.is_ready, service, before, {track: 100})
                found = kubectl.get_all(identities, environment=environment, context=context)
            has_pods = is_ready.result()
        except CommandError:
            return None  # the update has the better message
        routes = [one for one in found if one["kind"] != "Namespace"]
        is_complete = len(found) == len(identities) and all(map(_manager, routes))
        is_owned = namespace_owners(found).get(namespace) == owner
        return cls(routes, service, namespace) if is_complete and is_owned and has_pods else None

    def apply(self, environment: Mapping[str, str], context: str | None) -> None:
        """Switch the routes. Raises :class:`CommandError` if the cluster is not changed."""

        def apply(route: Manifest) -> None:
            manifest = self.switched(route)
            if manifest != _applied(route, route["metadata"], route["spec"]):
                kubectl.apply(
                    manifest,
                    environment=environment,
                    context=context,
                    field_manager=_manager(route),
                )

        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(apply, route) for route in self.routes]:
                done.result()

    def switched(self, route: Manifest) -> Manifest:
        """The manifest of a route after the switch; the same manifest if it was switched before."""
        is_colored = self.service.release.strategy == "blueGreen"
        return _applied(route, *(self._colored if is_colored else _without_canary)(route))

    def _colored(self, route: Manifest) -> tuple[Manifest, Any]:
        metadata, spec, release = route["metadata"], route["spec"], self.service.release
        live, idle = (
            ObjectIdentity(self.service.name, self.namespace, color).object_name
            for color in (release.blue_green.idle, release.blue_green.live)
        )
        is_stable = self.service.route_names[metadata["name"]] not in (PREVIEW, WEIGHTED)
        if _backend(spec) == (live if is_stable else idle):
            return metadata, spec
        return metadata, _renamed(spec, {live: idle, idle: live})


def _applied(route: Manifest, metadata: Manifest, spec: Any) -> Manifest:  # noqa: ANN401
    """The manifest that is applied, without the fields of the cluster."""
    kept = ("name", "namespace", "labels", "annotations")
    return {
        "apiVersion": route["apiVersion"],
        "kind": route["kind"],
        "metadata": {key: metadata[key] for key in kept if metadata.get(key)},
        "spec": spec,
    }


def _kinds(service: Service) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, API version and kind of each route of a service that has weights."""
    routing = service.routing
    for name, routed in service.route_names.items():
        if routing is None or routed == REDIRECT:
            continue
        route = service.routes.get(routed, routing)
        kinds = {
            "ingress": "Ingress",
            "gateway": "GRPCRoute" if route.protocol == "grpc" else "HTTPRoute",
            "istio": "VirtualService",
        }
        kind = kinds[routing.backend]
        yield name, (_API.get(kind, _GATEWAY_API), kind)


def _target(service: Service) -> str:
    """The track that gets all requests."""
    release = service.release
    return release.blue_green.idle if release.strategy == "blueGreen" else "stable"


def _manager(route: Manifest) -> str:
    """Field manager of Pulumi that owns the fields. Empty: another program owns the object."""
    entries = route["metadata"].get("managedFields") or ()
    managers = (one["manager"] for one in entries if one.get("operation") == "Apply")
    return next((one for one in managers if one.startswith(_PULUMI)), "")


def _backend(spec: Manifest) -> str:
    """Service of the first backend without an override."""
    if "http" in spec:
        return spec["http"][-1]["route"][0]["destination"]["host"]
    rule = spec["rules"][-1]
    if "http" in rule:
        return rule["http"]["paths"][0]["backend"]["service"]["name"]
    return rule["backendRefs"][0]["name"]


def _renamed(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The value with other names of Services."""
    match value:
        case dict():
            return {
                key: names.get(one, one)
                if key in ("name", "host") and isinstance(one, str)
                else _renamed(one, names)
                for key, one in value.items()
            }
        case list():
            return [_renamed(one, names) for one in value]
    return value


def _without_canary(route: Manifest) -> tuple[Manifest, Any]:
    """Metadata and spec of a route that gives a canary no requests."""
    metadata, spec = route["metadata"], route["spec"]
    if route["kind"] == "Ingress":
        annotations = metadata.get("annotations") or {}
        weight = f"{_CANARY}weight"
        kept = {key: one for key, one in annotations.items() if key not in _OVERRIDES}
        return {**metadata, "annotations": kept | ({weight: "0"} if weight in kept else {})}, spec
    is_istio = route["kind"] == "VirtualService"
    rules, backends = ("http", "route") if is_istio else ("rules", "backendRefs")
    changed = [
        {
            **rule,
            backends: [
                {**one, "weight": weight}
                for one, weight in zip(rule[backends], (100, 0), strict=True)
            ],
        }
        for rule in spec[rules]
        if len(rule[backends]) > 1
    ]
    return metadata, {**spec, rules: changed}
