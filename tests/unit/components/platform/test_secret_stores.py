"""SecretStores and the ServiceAccounts that they authenticate as."""

from typing import Any

import pytest

from components.platform.secret_stores import StackSecretStores
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings

VAULT = {"vault": {"server": "https://vault.example.com:8200", "role": "shop"}}


def deployed(stores: dict[str, Any], **external_secrets: Any) -> Registry:
    found = settings(secretStores=stores, externalSecrets=external_secrets)
    return run(
        lambda: StackSecretStores.of(
            "secret-stores",
            {
                "namespace": "shop",
                "external_secrets": found.external_secrets,
                "network": found.network,
                "stores": found.secret_stores,
            },
        )
    )


def test_a_stack_without_stores_has_no_external_secrets() -> None:
    assert deployed({}).resources == {}


@pytest.mark.parametrize(
    ("store", "provider", "annotations"),
    [
        (
            VAULT,
            {
                "vault": {
                    "server": "https://vault.example.com:8200",
                    "path": "secret",
                    "version": "v2",
                    "auth": {
                        "kubernetes": {
                            "mountPath": "kubernetes",
                            "role": "shop",
                            "serviceAccountRef": {"name": "secret-store-team"},
                        }
                    },
                }
            },
            None,
        ),
        (
            {"aws": {"region": "eu-central-1", "role": "arn:aws:iam::1:role/shop"}},
            {
                "aws": {
                    "service": "SecretsManager",
                    "region": "eu-central-1",
                    "auth": {"jwt": {"serviceAccountRef": {"name": "secret-store-team"}}},
                }
            },
            {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/shop"},
        ),
        (
            {"gcp": {"project": "shop", "serviceAccount": "shop@shop.iam.gserviceaccount.com"}},
            {
                "gcpsm": {
                    "projectID": "shop",
                    "auth": {
                        "workloadIdentity": {"serviceAccountRef": {"name": "secret-store-team"}}
                    },
                }
            },
            {"iam.gke.io/gcp-service-account": "shop@shop.iam.gserviceaccount.com"},
        ),
        (
            {"azure": {"vaultUrl": "https://a.vault.azure.net", "tenantId": "t", "clientId": "c"}},
            {
                "azurekv": {
                    "authType": "WorkloadIdentity",
                    "vaultUrl": "https://a.vault.azure.net",
                    "serviceAccountRef": {"name": "secret-store-team"},
                }
            },
            {"azure.workload.identity/client-id": "c", "azure.workload.identity/tenant-id": "t"},
        ),
        (
            {"kubernetes": {"namespace": "databases"}},
            {
                "kubernetes": {
                    "remoteNamespace": "databases",
                    "server": {
                        "caProvider": {
                            "type": "ConfigMap",
                            "name": "kube-root-ca.crt",
                            "key": "ca.crt",
                        }
                    },
                    "auth": {"serviceAccount": {"name": "secret-store-team"}},
                }
            },
            None,
        ),
    ],
    ids=["vault", "aws", "gcp", "azure", "kubernetes"],
)
def test_a_store_authenticates_as_a_service_account_of_its_own(
    store: dict[str, Any], provider: dict[str, Any], annotations: dict[str, str] | None
) -> None:
    registry = deployed({"team": store})
    assert registry.one("SecretStore", "team")["spec"]["provider"] == provider
    account = registry.one("ServiceAccount", "secret-store-team")
    assert account["metadata"].get("annotations") == annotations


def test_the_operator_of_another_stack_can_be_used() -> None:
    registry = deployed({"team": VAULT}, enabled=False)
    assert registry.named("SecretStore") == {"team"}
    assert registry.of_kind("Deployment") == registry.of_kind("CustomResourceDefinition") == []


def test_the_operator_is_ready_before_the_stores_exist() -> None:
    registry = deployed({"team": VAULT})
    dependencies = registry.dependencies_of(registry.urn_of("SecretStore", "team"))
    assert registry.urn_of("Deployment", "external-secrets") in dependencies
