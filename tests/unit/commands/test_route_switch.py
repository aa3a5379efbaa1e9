"""Routes that are switched before an update are those that the update declares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import render
from commands import route_switch
from commands.errors import FAILED, CommandError
from commands.route_switch import RouteSwitch
from settings import load
from tests.unit.stacks import BLUE_GREEN, CANARY, DIGEST, OTHER_DIGEST, changed, sections

OWNER = "slipway/test"
NAMESPACE = {
    "kind": "Namespace",
    "metadata": {"name": "beacon-test", "annotations": {"slipway/stack": OWNER}},
}
MANAGER = "pulumi-kubernetes-0a1b2c3d"
STABLE = {"version": "1.0.0", "digest": DIGEST}
BESIDE = {"version": "1.1.0", "digest": OTHER_DIGEST}
RUNNING_CANARY = changed(CANARY, {"canary": {**BESIDE, "weight": 30}})
NO_CANARY = {"strategy": "canary", "stable": STABLE}
PREVIEW = {"previewHost": "next.beacon.localhost"}
BLUE = changed(BLUE_GREEN, {"idle": BESIDE, "blueGreen": {"live": "blue", **PREVIEW}})
GREEN = {
    "strategy": "blueGreen",
    "stable": BESIDE,
    "idle": {**STABLE, "wasLive": True},
    "blueGreen": {"live": "green", **PREVIEW},
}
TRANSITIONS = {
    "the canary ends": (RUNNING_CANARY, NO_CANARY),
    "to green": (BLUE, GREEN),
    "to blue": (GREEN, BLUE),
}
"""Release before and after the switch."""
OPTIONS = {
    "canaryOverride": {"header": "X-Version", "cookie": "next"},
    "paths": ["/api", "/web"],
    "requestTimeoutSeconds": 5,
}
ROUTING: Mapping[str, Mapping[str, Any]] = {
    "Ingress": {**OPTIONS, "backend": "ingress"},
    "HTTPRoute": {**OPTIONS, "backend": "gateway"},
    "GRPCRoute": {"protocol": "grpc", "backend": "gateway"},
    "VirtualService": {**OPTIONS, "backend": "istio"},
}


class Cluster:
    """Objects of the cluster, and the manifests that are applied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[dict[str, Any]] = []
        self.applied: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.is_ready = True
        self.is_down = False
        monkeypatch.setattr(route_switch.kubectl, "get_all", self.get_all)
        monkeypatch.setattr(route_switch.kubectl, "apply", self.apply)
        monkeypatch.setattr(route_switch.Capacity, "is_ready", lambda *_: self.is_ready)

    def get_all(self, identities: Any, **_: Any) -> list[dict[str, Any]]:
        if self.is_down:
            raise CommandError("cannot read the cluster", FAILED)
        names = {(one.kind, one.name) for one in identities}
        return [one for one in self.found if (one["kind"], one["metadata"]["name"]) in names]

    def apply(self, manifest: Mapping[str, Any], *, field_manager: str, **_: Any) -> None:
        self.applied[manifest["metadata"]["name"]] = field_manager, manifest


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def stack_file(folder: Path, release: Mapping[str, Any], routing: Mapping[str, Any]) -> str:
    file = folder / "Pulumi.test.yaml"
    config = sections(release=release, routing=routing)
    file.write_text(yaml.safe_dump({"config": {f"slipway:{key}": config[key] for key in config}}))
    return str(file)


def routes(stack: str) -> dict[str, dict[str, Any]]:
    """Manifests of the routes that the program declares, by name."""
    return {
        one.manifest["metadata"]["name"]: one.manifest
        for one in render.objects_of(stack)
        if one.manifest["kind"] in ROUTING
    }


def live(manifest: dict[str, Any]) -> dict[str, Any]:
    """The object that the cluster has after it was applied by Pulumi."""
    status = {"manager": "traefik", "operation": "Update", "subresource": "status"}
    fields = [status, {"manager": MANAGER, "operation": "Apply"}]
    metadata = {**manifest["metadata"], "managedFields": fields, "uid": "0", "generation": 3}
    return {**manifest, "metadata": metadata, "status": {}}


def switch_of(stack: str) -> RouteSwitch | None:
    settings = load(stack)
    return RouteSwitch.of(settings, settings.services["beacon"], OWNER, {})


@pytest.mark.parametrize("routing", ROUTING.values(), ids=ROUTING)
@pytest.mark.parametrize("transition", TRANSITIONS.values(), ids=TRANSITIONS)
def test_the_switched_routes_are_those_that_the_program_declares_afterwards(
    cluster: Cluster, tmp_path: Path, transition: tuple[Any, Any], routing: dict[str, Any]
) -> None:
    before, after = transition
    declared = routes(stack_file(tmp_path, after, routing))
    stack = stack_file(tmp_path, before, routing)
    deployed = routes(stack)
    cluster.found = [NAMESPACE, *map(live, deployed.values())]
    switch = switch_of(stack)
    assert switch is not None
    switch.apply({}, None)
    assert cluster.applied
    assert {manager for manager, _ in cluster.applied.values()} == {MANAGER}
    assert deployed | {name: one for name, (_, one) in cluster.applied.items()} == declared
    # A second time, after an interruption.
    cluster.found = [NAMESPACE, *map(live, declared.values())]
    cluster.applied.clear()
    if again := switch_of(stack):
        again.apply({}, None)
    assert cluster.applied == {}


def test_only_an_update_moves_the_requests_unless_all_is_as_it_has_to_be(
    cluster: Cluster, tmp_path: Path
) -> None:
    stack = stack_file(tmp_path, BLUE, {})
    objects = [live(one) for one in routes(stack).values()]
    foreign = changed(NAMESPACE, {"metadata": {"annotations": {"slipway/stack": "other/dev"}}})
    by_other = changed(objects[0], {"metadata": {"managedFields": []}})
    for found in (
        [foreign, *objects],
        objects,
        [NAMESPACE, *objects[1:]],
        [NAMESPACE, by_other, *objects[1:]],
    ):
        cluster.found = found
        assert switch_of(stack) is None
    cluster.found = [NAMESPACE, *objects]
    assert switch_of(stack) is not None
    cluster.is_ready = False
    assert switch_of(stack) is None
    cluster.is_ready, cluster.is_down = True, True
    assert switch_of(stack) is None
    other_ports = changed(BLUE, {"stable": {"settings": {"ports": {"http": 9000}}}})
    cluster.is_down = False
    assert switch_of(stack_file(tmp_path, other_ports, {})) is None
