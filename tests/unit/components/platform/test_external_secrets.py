"""External Secrets: permissions, network access and definitions."""

from typing import Any

from components.platform.external_secrets import ExternalSecrets
from settings import ExternalSecretsSettings, Network, SecretStore
from tests.unit.harness import Registry, run

VAULT = {"vault": {"server": "https://192.0.2.1:8200", "role": "shop"}}


def deployed(scope: str = "namespace") -> Registry:
    stores = {"team": SecretStore.model_validate(VAULT)}
    settings = ExternalSecretsSettings.model_validate({"scope": scope})
    return run(
        lambda: ExternalSecrets(
            "external-secrets",
            {"namespace": "shop", "settings": settings, "network": Network(), "stores": stores},
        )
    )


def arguments(registry: Registry) -> list[str]:
    (container,) = registry.one("Deployment")["spec"]["template"]["spec"]["containers"]
    return container["args"]


def egress(registry: Registry) -> list[dict[str, Any]]:
    return registry.one("NetworkPolicy")["spec"]["egress"]


def test_it_is_restricted_to_the_namespace_and_to_the_stores() -> None:
    registry = deployed()
    assert "--namespace=shop" in arguments(registry)
    assert registry.one("Role")["metadata"]["namespace"] == "shop"
    assert registry.of_kind("ClusterRole") == []
    ports = [{"port": 8200, "protocol": "TCP"}]
    assert {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": ports} in egress(registry)
    assert {} not in egress(registry)


def test_with_the_scope_of_the_cluster_it_serves_other_stacks() -> None:
    registry = deployed("cluster")
    assert not [one for one in arguments(registry) if one.startswith("--namespace")]
    assert registry.named("ClusterRole") == {"external-secrets-shop"}
    assert registry.one("ClusterRoleBinding")["subjects"][0]["namespace"] == "shop"
    assert registry.of_kind("Role") == []
    assert {} in egress(registry)


def test_the_definitions_are_kept_for_other_stacks() -> None:
    definitions = deployed().of_kind("CustomResourceDefinition")
    assert {one.inputs["spec"]["names"]["kind"] for one in definitions} == {
        *("ExternalSecret", "GeneratorState", "SecretStore")
    }
    assert all(one.retain_on_delete for one in definitions)


def test_two_controllers_never_run_at_once() -> None:
    spec = deployed().one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
