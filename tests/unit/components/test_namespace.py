"""What may run in the namespace, how much of it, and who may talk to whom."""

from components.namespace import Namespace
from components.versions import KUBERNETES
from settings import Compute, ContainerLimits, Quota
from tests.unit.harness import run


def test_pod_security_restricted_is_enforced_at_a_pinned_version() -> None:
    labels = run(lambda: Namespace("home", {})).one("Namespace")["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == f"v{KUBERNETES}"


def test_no_traffic_is_allowed_by_default_in_either_direction() -> None:
    policy = run(lambda: Namespace("home", {})).one("NetworkPolicy")["spec"]
    assert policy["podSelector"] == {}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    assert "egress" not in policy


def test_the_quota_is_what_the_settings_say() -> None:
    quota = Quota(
        pods=7,
        requests=Compute(cpu="1", memory="1Gi"),
        limits=Compute(cpu="2", memory="2Gi"),
    )
    hard = run(lambda: Namespace("home", {"quota": quota})).one("ResourceQuota")["spec"]["hard"]
    assert hard["pods"] == "7"
    assert hard["requests.cpu"] == "1"
    assert hard["limits.memory"] == "2Gi"


def test_nothing_is_reached_from_outside_but_through_the_proxy() -> None:
    hard = run(lambda: Namespace("home", {})).one("ResourceQuota")["spec"]["hard"]
    assert hard["services.nodeports"] == hard["services.loadbalancers"] == "0"


def test_a_container_that_asks_for_nothing_gets_the_defaults() -> None:
    limits = ContainerLimits(default=Compute(cpu="300m", memory="128Mi"))
    (item,) = run(lambda: Namespace("home", {"limits": limits})).one("LimitRange")["spec"]["limits"]
    assert item["type"] == "Container"
    assert item["default"] == {"cpu": "300m", "memory": "128Mi"}
    assert item["defaultRequest"] == {"cpu": "100m", "memory": "64Mi"}
    assert item["max"] == {"cpu": "2", "memory": "2Gi"}


def test_everything_is_inside_the_namespace_and_made_after_it() -> None:
    registry = run(lambda: Namespace("home", {}))
    namespace = registry.urn_of("Namespace", "home")
    for kind in ("ResourceQuota", "LimitRange", "NetworkPolicy"):
        (resource,) = registry.of_kind(kind)
        assert resource.inputs["metadata"]["namespace"] == "home"
        assert namespace in resource.depends_on


def test_a_namespace_for_what_needs_the_node_lets_it() -> None:
    registry = run(lambda: Namespace("home", {"pod_security": "privileged"}))
    labels = registry.one("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    assert registry.one("NetworkPolicy")["spec"]["podSelector"] == {}


def test_bounds_can_be_left_out() -> None:
    registry = run(lambda: Namespace("home", {"quota": None, "limits": None}))
    assert registry.of_kind("ResourceQuota") == registry.of_kind("LimitRange") == []
