"""SecretStores of a stack, the ServiceAccounts that they authenticate as, and External Secrets."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ServiceAccount

from components.labels import Identity
from components.platform.external_secrets import ExternalSecrets
from components.prune import prune_none
from settings import ExternalSecretsSettings, Network, SecretStore, SecretStores

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

API_VERSION = "external-secrets.io/v1"


class StackSecretStoresArgs(TypedDict):
    """Arguments of :class:`StackSecretStores`."""

    namespace: str
    external_secrets: ExternalSecretsSettings
    network: Network
    stores: SecretStores
    """Stores by name."""


class StackSecretStores(pulumi.ComponentResource):
    """A SecretStore for each store, and a ServiceAccount with access to nothing else."""

    def __init__(
        self, name: str, args: StackSecretStoresArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:StackSecretStores", name, None, opts)
        operator = ExternalSecrets.of(
            "external-secrets",
            {
                "namespace": args["namespace"],
                "settings": args["external_secrets"],
                "network": args["network"],
                "stores": args["stores"],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        for store_name, store in args["stores"].items():
            account_name = f"secret-store-{store_name}"
            metadata: ObjectMetaArgsDict = {
                "namespace": args["namespace"],
                "labels": Identity(account_name, args["namespace"]).labels,
            }
            account = ServiceAccount(
                f"{name}-{store_name}-account",
                metadata=prune_none(
                    {
                        **metadata,
                        "name": account_name,
                        "annotations": _account_annotations(store) or None,
                    }
                ),
                automount_service_account_token=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            CustomResource(
                f"{name}-{store_name}",
                api_version=API_VERSION,
                kind="SecretStore",
                metadata={**metadata, "name": store_name},
                spec={"provider": _provider(store, {"name": account_name})},
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[account, *([operator] if operator else ())]
                ),
            )
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: StackSecretStoresArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "StackSecretStores | None":
        """The stores of a stack. ``None``: there are none."""
        return cls(name, args, opts) if args["stores"] else None


def _account_annotations(store: SecretStore) -> dict[str, str]:
    """Identity of the ServiceAccount in the cloud."""
    if store.aws:
        return {"eks.amazonaws.com/role-arn": store.aws.role}
    if store.gcp:
        return {"iam.gke.io/gcp-service-account": store.gcp.service_account}
    if store.azure:
        return {
            "azure.workload.identity/client-id": store.azure.client_id,
            "azure.workload.identity/tenant-id": store.azure.tenant_id,
        }
    return {}


def _provider(store: SecretStore, account: dict[str, str]) -> dict[str, Any]:
    if vault := store.vault:
        provider: dict[str, Any] = {
            "server": vault.server,
            "path": vault.path,
            "version": vault.version,
            "auth": {
                "kubernetes": {
                    "mountPath": vault.auth_path,
                    "role": vault.role,
                    "serviceAccountRef": account,
                }
            },
        }
        if vault.ca_bundle:
            provider["caBundle"] = b64encode(vault.ca_bundle.encode()).decode()
        return {"vault": provider}
    if aws := store.aws:
        auth = {"jwt": {"serviceAccountRef": account}}
        return {"aws": {"service": aws.service, "region": aws.region, "auth": auth}}
    if gcp := store.gcp:
        auth = {"workloadIdentity": {"serviceAccountRef": account}}
        return {"gcpsm": {"projectID": gcp.project, "auth": auth}}
    if azure := store.azure:
        return {
            "azurekv": {
                "authType": "WorkloadIdentity",
                "vaultUrl": azure.vault_url,
                "serviceAccountRef": account,
            }
        }
    assert store.kubernetes  # noqa: S101  # one of them is set
    certificate = {"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt"}
    return {
        "kubernetes": {
            "remoteNamespace": store.kubernetes.namespace,
            "server": {"caProvider": certificate},
            "auth": {"serviceAccount": account},
        }
    }
