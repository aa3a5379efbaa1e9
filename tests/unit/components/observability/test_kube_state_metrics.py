from components.observability.kube_state_metrics import KubeStateMetrics
from tests.unit.components.observability.servers import container, deploy


def test_permissions_are_exactly_those_for_the_exported_resources() -> None:
    registry = deploy(KubeStateMetrics)
    rules = registry.one("ClusterRole")["rules"]
    allowed = sorted(name for rule in rules for name in rule["resources"])
    assert f"--resources={','.join(allowed)}" in container(registry, "Deployment")["args"]
    assert all(rule["verbs"] == ["list", "watch"] for rule in rules)


def test_it_cannot_read_secrets_and_config_maps() -> None:
    rules = deploy(KubeStateMetrics).one("ClusterRole")["rules"]
    assert not {"secrets", "configmaps"} & {name for rule in rules for name in rule["resources"]}
