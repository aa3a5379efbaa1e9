"""What of the cluster may be read."""

from components.observability.kube_state_metrics import KubeStateMetrics
from tests.unit.components.observability.made import container, made


def test_it_may_read_exactly_what_it_is_told_to_export() -> None:
    registry = made(KubeStateMetrics)
    rules = registry.one("ClusterRole")["rules"]
    allowed = sorted(name for rule in rules for name in rule["resources"])
    assert f"--resources={','.join(allowed)}" in container(registry, "Deployment")["args"]
    assert all(rule["verbs"] == ["list", "watch"] for rule in rules)


def test_secrets_and_configuration_are_not_its_business() -> None:
    rules = made(KubeStateMetrics).one("ClusterRole")["rules"]
    assert not {"secrets", "configmaps"} & {name for rule in rules for name in rule["resources"]}
