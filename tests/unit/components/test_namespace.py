"""Namespace with Pod Security, a resource quota, a limit range and a default-deny policy."""

from components.namespace import Namespace
from components.versions import KUBERNETES
from settings import LimitRangeSettings, ResourceList, ResourceQuotaSettings
from tests.unit.harness import run


def test_pod_security_restricted_is_enforced_at_a_pinned_version() -> None:
    labels = run(lambda: Namespace("home", {})).one("Namespace")["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == f"v{KUBERNETES}"


def test_a_privileged_namespace_still_denies_traffic_by_default() -> None:
    registry = run(lambda: Namespace("home", {"pod_security": "privileged"}))
    labels = registry.one("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    policy = registry.one("NetworkPolicy")["spec"]
    assert policy["podSelector"] == {}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    assert "egress" not in policy


def test_the_resource_quota_comes_from_the_settings_and_forbids_external_services() -> None:
    quota = ResourceQuotaSettings(
        pods=7,
        requests=ResourceList(cpu="1", memory="1Gi"),
        limits=ResourceList(cpu="2", memory="2Gi"),
    )
    hard = run(lambda: Namespace("home", {"resource_quota": quota})).one("ResourceQuota")["spec"][
        "hard"
    ]
    assert hard == {
        "pods": "7",
        "requests.cpu": "1",
        "requests.memory": "1Gi",
        "limits.cpu": "2",
        "limits.memory": "2Gi",
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }


def test_the_limit_range_comes_from_the_settings() -> None:
    limits = LimitRangeSettings(default=ResourceList(cpu="300m", memory="128Mi"))
    (item,) = run(lambda: Namespace("home", {"limit_range": limits})).one("LimitRange")["spec"][
        "limits"
    ]
    assert item == {
        "type": "Container",
        "default": {"cpu": "300m", "memory": "128Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
        "max": {"cpu": "2", "memory": "2Gi"},
    }


def test_all_objects_are_created_in_the_namespace_and_after_it() -> None:
    registry = run(lambda: Namespace("home", {}))
    namespace = registry.urn_of("Namespace", "home")
    for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy"):
        (resource,) = registry.of_kind(kind)
        assert resource.inputs["metadata"]["namespace"] == "home"
        assert namespace in resource.depends_on


def test_quota_and_limit_range_can_be_omitted() -> None:
    registry = run(lambda: Namespace("home", {"resource_quota": None, "limit_range": None}))
    assert registry.of_kind("ResourceQuota") == registry.of_kind("LimitRange") == []
