"""Flagger and its load tester."""

from typing import Any

from components.platform.flagger import Flagger
from settings import Settings
from tests.unit.harness import Registry, run
from tests.unit.stacks import changed, settings


def stack(changes: dict[str, Any] | None = None, **progressive: Any) -> Settings:
    release = {"strategy": "progressive", "progressive": progressive}
    base = {"release": release, "observability": {"mode": "bundled"}}
    return settings(**changed(base, changes or {}))


def deployed(found: Settings) -> Registry:
    return run(
        lambda: Flagger.of(
            "flagger",
            {
                "namespace": "shop",
                "settings": found.flagger,
                "network": found.network,
                "prometheus": "http://prometheus.monitoring.svc:9090",
                "services": found.progressive,
                "istio": found.mesh.istio,
            },
        )
    )


def test_a_stack_without_progressive_services_has_no_flagger() -> None:
    assert deployed(settings()).resources == {}


def test_flagger_is_restricted_to_the_namespace() -> None:
    registry = deployed(stack())
    (container,) = registry.one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert "-namespace=shop" in container["args"]
    assert registry.one("Role")["metadata"]["namespace"] == "shop"
    assert registry.one("RoleBinding")["subjects"][0]["namespace"] == "shop"
    assert registry.of_kind("ClusterRole") == []
    policy = registry.one("NetworkPolicy")["spec"]
    assert policy["ingress"] == []
    ports = {port["port"] for rule in policy["egress"] for port in rule.get("ports", ())}
    assert {53, 443, 6443} <= ports


def test_the_definitions_are_kept_for_other_stacks() -> None:
    registry = deployed(stack())
    definitions = registry.of_kind("CustomResourceDefinition")
    assert {one.inputs["spec"]["names"]["kind"] for one in definitions} == {
        *("AlertProvider", "Canary", "MetricTemplate")
    }
    assert all(one.retain_on_delete for one in definitions)


def test_two_flaggers_never_run_at_once() -> None:
    spec = deployed(stack()).one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_load_tester_is_deployed_when_a_release_needs_it_and_accepts_only_flagger() -> None:
    registry = deployed(stack(manual=["promotion"]))
    assert registry.named("Deployment") == {"flagger", "flagger-loadtester"}
    (source,) = registry.one("NetworkPolicy", "flagger-loadtester")["spec"]["ingress"]
    assert source["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "flagger"}


def test_a_cluster_may_have_its_own_flagger() -> None:
    registry = deployed(stack({"flagger": {"enabled": False}}, load={}))
    assert registry.named("Deployment") == {"flagger-loadtester"}
    assert registry.of_kind("CustomResourceDefinition") == []


ISTIO = {
    "routing": {"backend": "istio"},
    "mesh": {"istio": {}},
    "namespace": {"limitRange": {"max": {"cpu": "2", "memory": "2Gi"}}},
}


def test_in_a_mesh_flagger_changes_virtual_services_and_its_load_tester_has_a_sidecar() -> None:
    registry = deployed(stack(ISTIO, manual=["promotion"]))
    groups = {
        rule["apiGroups"][0]: rule["resources"] for rule in registry.one("Role", "flagger")["rules"]
    }
    assert groups["networking.istio.io"] == ["destinationrules", "virtualservices"]
    inject = "sidecar.istio.io/inject"
    labels = {
        name: registry.one("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        for name in ("flagger", "flagger-loadtester")
    }
    assert inject not in labels["flagger"]
    assert labels["flagger-loadtester"][inject] == "true"
    egress = registry.one("NetworkPolicy", "flagger-loadtester")["spec"]["egress"]
    assert 15012 in {port["port"] for rule in egress for port in rule.get("ports", ())}
    without = deployed(stack()).one("Role", "flagger")["rules"]
    assert "networking.istio.io" not in {rule["apiGroups"][0] for rule in without}
