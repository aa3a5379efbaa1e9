from typing import Any

import pytest

from components.observability.observability import Observability
from settings import parse_quantity
from tests.unit.components.observability.servers import args_of, bundled
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return deployed()


def deployed(**observability: Any) -> Registry:
    stack = bundled(observability=observability)
    return run(lambda: Observability("observability", args_of(stack)))


def servers(registry: Registry) -> set[str]:
    return {name for kind in WORKLOADS for name in registry.named(kind)}


def test_bundled_deploys_every_server(registry: Registry) -> None:
    assert servers(registry) == {
        *("prometheus", "alertmanager", "loki", "jaeger", "collector", "collector-agent"),
        *("node-exporter", "kube-state-metrics", "grafana"),
    }


def test_off_deploys_nothing() -> None:
    registry = run(lambda: Observability("observability", args_of(settings())))
    assert not [one for one in registry.resources.values() if not one.type.startswith("slipway:")]


def test_operator_creates_objects_for_kube_prometheus_stack_and_no_servers() -> None:
    registry = deployed(mode="operator")
    assert servers(registry) == set()
    assert registry.of_kind("Namespace") == []
    assert registry.of_kind("PodMonitor")
    assert registry.of_kind("PrometheusRule")


def test_grafana_can_be_disabled() -> None:
    registry = deployed(grafana={"enabled": False})
    assert "grafana" not in servers(registry)
    assert registry.of_kind("Secret") == registry.of_kind("RandomPassword") == []


def test_only_node_agents_are_in_the_privileged_namespace(registry: Registry) -> None:
    levels = {
        one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"][
            "pod-security.kubernetes.io/enforce"
        ]
        for one in registry.of_kind("Namespace")
    }
    assert levels == {"monitoring": "restricted", "monitoring-node": "privileged"}
    node_agents = {
        one.inputs["metadata"]["name"]
        for kind in WORKLOADS
        for one in registry.of_kind(kind)
        if one.inputs["metadata"]["namespace"] == "monitoring-node"
    }
    assert node_agents == {"collector-agent", "node-exporter"}


def test_both_namespaces_deny_all_traffic_by_default(registry: Registry) -> None:
    denied = {
        one.inputs["metadata"]["namespace"]
        for one in registry.of_kind("NetworkPolicy")
        if one.inputs["metadata"]["name"] == "default-deny"
    }
    assert denied == {"monitoring", "monitoring-node"}


def test_the_namespaces_have_no_quota_and_no_limit_range(registry: Registry) -> None:
    assert registry.of_kind("ResourceQuota") == registry.of_kind("LimitRange") == []


def test_cluster_scoped_names_start_with_the_monitoring_namespace(registry: Registry) -> None:
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        assert registry.named(kind)
        assert all(name.startswith("monitoring-") for name in registry.named(kind))


def test_cpu_requests_of_all_servers_are_at_most_600m(registry: Registry) -> None:
    requested = [
        container["resources"]["requests"]["cpu"]
        for kind in WORKLOADS
        for one in registry.of_kind(kind)
        for container in one.inputs["spec"]["template"]["spec"]["containers"]
    ]
    assert sum(map(parse_quantity, requested)) <= parse_quantity("600m")


def test_servers_depend_on_their_namespaces_and_not_on_each_other(registry: Registry) -> None:
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


def test_addresses_are_urls_of_the_deployed_servers() -> None:
    found: list[dict[str, str]] = []
    stack = bundled(observability={"grafana": {"enabled": False}})
    run(lambda: found.append(Observability("o", args_of(stack)).addresses))
    (addresses,) = found
    assert addresses["prometheus"] == "http://prometheus.monitoring.svc:9090"
    assert "grafana" not in addresses
