"""What each mode deploys, and where."""

from typing import Any

import pytest

from components.observability.observability import Observability
from settings import parse_quantity
from tests.unit.components.observability.made import bundled, observability_args
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return deployed()


def deployed(**observability: Any) -> Registry:
    stack = bundled(observability=observability)
    return run(lambda: Observability("observability", observability_args(stack)))


def servers(registry: Registry) -> set[str]:
    return {name for kind in WORKLOADS for name in registry.named(kind)}


def test_bundled_is_every_server(registry: Registry) -> None:
    assert servers(registry) == {
        *("prometheus", "alertmanager", "loki", "jaeger", "collector", "collector-agent"),
        *("node-exporter", "kube-state-metrics", "grafana"),
    }


def test_off_is_nothing_at_all() -> None:
    registry = run(lambda: Observability("observability", observability_args(settings())))
    assert not [one for one in registry.resources.values() if not one.type.startswith("slipway:")]


def test_operator_is_objects_for_the_clusters_own_servers_and_no_server() -> None:
    registry = deployed(mode="operator")
    assert servers(registry) == set()
    assert registry.of_kind("Namespace") == []
    assert registry.of_kind("PodMonitor")
    assert registry.of_kind("PrometheusRule")


def test_grafana_can_be_left_out() -> None:
    registry = deployed(grafana={"enabled": False})
    assert "grafana" not in servers(registry)
    assert registry.of_kind("Secret") == registry.of_kind("RandomPassword") == []


def test_what_needs_the_node_is_alone_in_a_namespace_that_lets_it(registry: Registry) -> None:
    levels = {
        one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"][
            "pod-security.kubernetes.io/enforce"
        ]
        for one in registry.of_kind("Namespace")
    }
    assert levels == {"monitoring": "restricted", "monitoring-node": "privileged"}
    inside = {
        one.inputs["metadata"]["name"]
        for kind in WORKLOADS
        for one in registry.of_kind(kind)
        if one.inputs["metadata"]["namespace"] == "monitoring-node"
    }
    assert inside == {"collector-agent", "node-exporter"}


def test_no_traffic_is_allowed_by_default_in_both_namespaces(registry: Registry) -> None:
    denied = {
        one.inputs["metadata"]["namespace"]
        for one in registry.of_kind("NetworkPolicy")
        if one.inputs["metadata"]["name"] == "default-deny"
    }
    assert denied == {"monitoring", "monitoring-node"}


def test_no_quota_keeps_a_server_out(registry: Registry) -> None:
    assert registry.of_kind("ResourceQuota") == registry.of_kind("LimitRange") == []


def test_objects_without_a_namespace_are_named_after_the_stacks(registry: Registry) -> None:
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        assert registry.named(kind)
        assert all(name.startswith("monitoring-") for name in registry.named(kind))


def test_all_servers_together_request_little(registry: Registry) -> None:
    requested = [
        container["resources"]["requests"]["cpu"]
        for kind in WORKLOADS
        for one in registry.of_kind(kind)
        for container in one.inputs["spec"]["template"]["spec"]["containers"]
    ]
    assert sum(map(parse_quantity, requested)) <= parse_quantity("600m")


def test_servers_are_made_after_their_namespaces_and_beside_each_other(registry: Registry) -> None:
    for kind in WORKLOADS:
        for name in registry.named(kind):
            needed = registry.dependencies_of(registry.urn_of(kind, name))
            assert registry.urn_of("Namespace", "monitoring") in needed
            others = servers(registry) - {name}
            assert not {
                urn
                for other_kind in WORKLOADS
                for urn in needed
                for other in others
                if urn.endswith(f":{other_kind}::{other}-{other_kind.lower()}")
            }


def test_everyone_who_asks_is_told_where_the_servers_are() -> None:
    found: list[dict[str, str]] = []
    stack = bundled(observability={"grafana": {"enabled": False}})
    run(lambda: found.append(Observability("o", observability_args(stack)).addresses))
    (addresses,) = found
    assert addresses["prometheus"] == "http://prometheus.monitoring.svc:9090"
    assert "grafana" not in addresses
