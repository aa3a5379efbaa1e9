"""Names in the cluster that another stack owns."""

import json
from collections.abc import Collection
from typing import Any

import pytest

from commands.ownership import (
    namespace_conflicts,
    objects,
    route_conflicts,
    stack_conflicts,
)
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import settings

STACK = "slipway/dev"


def namespace(name: str, owner: str | None = None) -> dict[str, Any]:
    annotations = {"slipway/stack": owner} if owner else {}
    return {"kind": "Namespace", "metadata": {"name": name, "annotations": annotations}}


@pytest.mark.parametrize(
    ("owner", "in_state", "is_refused"),
    [
        ("slipway/dev", [], False),
        ("slipway/dev", ["beacon-test"], False),
        (None, ["beacon-test"], False),
        (None, [], True),
        ("slipway/prod", [], True),
        ("shop/dev", [], True),
        ("shop/dev", ["beacon-test"], True),
    ],
)
def test_a_namespace_belongs_to_one_stack(
    owner: str | None, in_state: list[str], is_refused: bool
) -> None:
    found = [namespace("beacon-test", owner), namespace("other", "shop/dev")]
    messages = list(namespace_conflicts(settings(), STACK, in_state, found))
    assert len(messages) == is_refused
    if is_refused:
        (message,) = messages
        assert message.startswith("slipway:namespace.name is beacon-test: ")
        assert f"of stack {owner}" in message or (
            owner is None and "without the annotation slipway/stack" in message
        )
        assert "slipway/stack=slipway/dev`" in message


def test_the_cert_manager_of_another_stack_can_be_used() -> None:
    found = [namespace("cert-manager", "shop/prod")]
    stack = settings(routing={"tls": {"mode": "selfSigned"}})
    (message,) = namespace_conflicts(stack, STACK, [], found)
    assert message.startswith("slipway:certManager.namespace is cert-manager: ")
    assert "slipway:certManager.enabled false" in message
    stack = settings(routing={"tls": {"mode": "selfSigned"}}, certManager={"enabled": False})
    assert list(namespace_conflicts(stack, STACK, [], found)) == []


def ingress(
    host: str, path: str, home: str = "shop", class_name: str | None = "nginx"
) -> dict[str, Any]:
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix"}]}}
    spec = {"rules": [rule], **({"ingressClassName": class_name} if class_name else {})}
    return {"kind": "Ingress", "metadata": {"name": "web", "namespace": home}, "spec": spec}


def http_route(
    host: str, path: str | None, home: str = "shop", gateway: str = "public"
) -> dict[str, Any]:
    match = {"matches": [{"path": {"type": "PathPrefix", "value": path}}]} if path else {}
    parents = [{"name": gateway, "namespace": "gateway-system"}]
    spec = {"hostnames": [host], "rules": [match], "parentRefs": parents}
    return {"kind": "HTTPRoute", "metadata": {"name": "web", "namespace": home}, "spec": spec}


def virtual_service(
    host: str, uri: dict[str, str] | None = None, gateway: str = "istio-ingress/public"
) -> dict[str, Any]:
    match = {"match": [{"uri": uri}]} if uri else {}
    spec = {"hosts": [host], "gateways": [gateway], "http": [match]}
    return {
        "kind": "VirtualService",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec,
    }


@pytest.mark.parametrize("backend", ["ingress", "gateway", "istio"])
@pytest.mark.parametrize(
    ("route", "is_refused"),
    [
        (ingress("beacon.localhost", "/"), True),
        (ingress("beacon.localhost", "/", class_name=None), True),
        (ingress("beacon.localhost", "/other"), False),
        (ingress("shop.localhost", "/"), False),
        (ingress("beacon.localhost", "/", home="beacon-test"), False),
        (ingress("beacon.localhost", "/", home="beacon-old"), False),
        (ingress("beacon.localhost", "/", home="beacon-lost"), False),
        (http_route("beacon.localhost", "/"), True),
        (http_route("beacon.localhost", None), True),
        (http_route("beacon.localhost", "/other"), False),
        (http_route("shop.localhost", "/"), False),
        (virtual_service("beacon.localhost"), True),
        (virtual_service("beacon.localhost", {"prefix": "/"}), True),
        (virtual_service("beacon.localhost", {"exact": "/other"}), False),
        (virtual_service("shop.localhost"), False),
        ({"kind": "Service", "metadata": {"name": "a", "namespace": "b"}, "spec": {}}, False),
    ],
)
def test_a_host_and_path_that_another_stack_routes_is_refused(
    backend: str, route: dict[str, Any], is_refused: bool
) -> None:
    found = [route, namespace("beacon-lost", STACK)]
    used = settings(routing={"backend": backend})
    messages = list(route_conflicts(used, STACK, ["beacon-old"], found))
    assert len(messages) == is_refused
    if is_refused:
        assert messages[0].startswith(
            f"slipway:services.beacon.routing.hosts has beacon.localhost: {route['kind']} shop/web "
        )


@pytest.mark.parametrize(
    ("backend", "route"),
    [
        ("ingress", ingress("beacon.localhost", "/", class_name="internal")),
        ("gateway", http_route("beacon.localhost", "/", gateway="internal")),
        ("istio", virtual_service("beacon.localhost", gateway="istio-ingress/internal")),
        ("istio", virtual_service("beacon.localhost", gateway="public")),
        ("istio", virtual_service("beacon.localhost", gateway="mesh")),
    ],
)
def test_a_route_of_another_proxy_is_no_conflict(backend: str, route: dict[str, Any]) -> None:
    used = settings(routing={"backend": backend})
    assert list(route_conflicts(used, STACK, [], [route])) == []


@pytest.mark.parametrize(
    ("namespaces", "services", "is_refused"),
    [
        (["beacon-test"], ["beacon"], False),
        (["beacon-old"], ["beacon"], False),
        (["beacon-test"], ["shop"], False),
        (["shop-dev"], ["shop", "orders"], True),
        ([], [], False),
        (["shop-dev"], [], False),
    ],
)
def test_a_stack_with_nothing_in_common_is_not_planned_over(
    namespaces: Collection[str], services: Collection[str], is_refused: bool
) -> None:
    messages = list(stack_conflicts(settings(), STACK, namespaces, services))
    assert len(messages) == is_refused
    if is_refused:
        assert "has the services orders, shop in namespace shop-dev" in messages[0]
        assert "`make down STACK=dev`" in messages[0]


def test_a_host_and_path_is_reported_once() -> None:
    found = [ingress("beacon.localhost", "/") for _ in ("stable", "canary")]
    assert len(list(route_conflicts(settings(), STACK, [], found))) == 1


def test_a_host_of_an_additional_port_is_refused_by_its_key() -> None:
    routing = {"additionalPorts": {"grpc": {"hosts": ["grpc.localhost"]}}}
    used = settings(ports={"http": 8080, "grpc": 9000}, routing=routing)
    (message,) = route_conflicts(used, STACK, [], [ingress("grpc.localhost", "/")])
    key = "slipway:services.beacon.routing.additionalPorts.grpc.hosts"
    assert message.startswith(f"{key} has grpc.localhost: Ingress shop/web ")


def test_a_preview_host_of_another_stack_is_refused_by_its_key() -> None:
    preview = {"strategy": "blueGreen", "blueGreen": {"previewHost": "next.localhost"}}
    used = settings(release=preview)
    (message,) = route_conflicts(used, STACK, [], [ingress("next.localhost", "/")])
    key = "slipway:services.beacon.release.blueGreen.previewHost"
    assert message.startswith(f"{key} has next.localhost: Ingress shop/web ")


def test_a_service_without_routing_has_no_conflict() -> None:
    worker = settings(routing=None)
    assert list(route_conflicts(worker, STACK, [], [ingress("beacon.localhost", "/")])) == []


def test_a_kind_that_cannot_be_read_does_not_hide_the_others(cluster: Cluster) -> None:
    cluster.kubectl_prints("get", "", "Error from server (Forbidden)", 1)
    readable = {"kind": "List", "items": [namespace("shop")]}
    cluster.kubectl_prints("get namespaces --all-namespaces", json.dumps(readable))
    assert objects({"PATH": str(cluster.folder)}, settings()) == [namespace("shop")]


def test_a_kind_that_the_cluster_does_not_have_does_not_hide_the_others(cluster: Cluster) -> None:
    known = "namespaces,ingresses.networking.k8s.io,httproutes.gateway.networking.k8s.io"
    message = 'error: the server doesn\'t have a resource type "grpcroutes"'
    cluster.kubectl_prints("get", "", message, 1)
    found = [namespace("shop"), ingress("beacon.localhost", "/")]
    readable = {"kind": "List", "items": found}
    cluster.kubectl_prints(f"get {known} --all-namespaces", json.dumps(readable))
    assert objects({"PATH": str(cluster.folder)}, settings()) == found
    assert len(cluster.calls()) == 2


def test_objects_are_those_of_the_context_and_read_at_once(cluster: Cluster) -> None:
    found = [namespace("shop"), ingress("beacon.localhost", "/")]
    cluster.kubectl_prints("get", json.dumps({"kind": "List", "items": found}))
    used = settings(cluster={"context": "prod"})
    assert objects({"PATH": str(cluster.folder)}, used) == found
    (call,) = cluster.calls()
    assert call[:3] == ["--context", "prod", "get"]
    assert "virtualservices" not in call[3]
