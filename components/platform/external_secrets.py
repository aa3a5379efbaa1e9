"""External Secrets, which copies values of secret stores into Secrets."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.labels import Identity
from components.network_peer import (
    API_SERVER_PORTS,
    DNS_EGRESS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import EXTERNAL_SECRETS_METRICS
from components.platform.definitions import custom_resource_definitions
from components.versions import IMAGES
from settings import EXTERNAL_SECRETS, ExternalSecretsSettings, Network, SecretStore, SecretStores

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_HEALTH_PORT = 8082
_USER = 65532
_GKE_METADATA_SERVER = ("169.254.169.252/32", "169.254.169.254/32")
_GKE_METADATA_PORTS = (80, 988)
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "patch", "update")
_RULES: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    ("external-secrets.io", ("externalsecrets", "secretstores"), (*_READ, "patch", "update")),
    (
        "external-secrets.io",
        ("externalsecrets/status", "secretstores/status"),
        ("get", "patch", "update"),
    ),
    ("generators.external-secrets.io", ("generatorstates",), (*_READ, *_WRITE)),
    ("", ("secrets",), (*_READ, *_WRITE)),
    ("", ("configmaps", "serviceaccounts"), _READ),
    ("", ("serviceaccounts/token",), ("create",)),
    ("", ("events",), ("create", "patch")),
)
"""API groups, resources and verbs."""


class ExternalSecretsArgs(TypedDict):
    """Arguments of :class:`ExternalSecrets`."""

    namespace: str
    settings: ExternalSecretsSettings
    network: Network
    stores: SecretStores
    """Stores of the stack, which it connects to."""


class ExternalSecrets(pulumi.ComponentResource):
    """The controller of External Secrets, one pod.

    It runs without its webhook: the API server checks the objects by their
    CustomResourceDefinitions. These, which other stacks may use, are kept when the component is
    deleted.
    """

    def __init__(
        self, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:ExternalSecrets", name, None, opts)
        self._name = name
        self._args = args
        self._is_cluster_wide = args["settings"].scope == "cluster"
        self._identity = Identity(EXTERNAL_SECRETS, args["namespace"])
        self._child = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{name}-account",
            metadata=self._metadata(),
            # The pod spec sets it.
            automount_service_account_token=False,
            opts=self._child,
        )
        self._deployment(
            [
                account,
                *self._role(),
                self._network_policy(),
                *custom_resource_definitions(self._name, EXTERNAL_SECRETS, self),
            ]
        )
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "ExternalSecrets | None":
        """External Secrets for the stores. ``None``: there are none, or the cluster has it."""
        return cls(name, args, opts) if args["stores"] and args["settings"].enabled else None

    def _metadata(self) -> "ObjectMetaArgsDict":
        return {
            "name": EXTERNAL_SECRETS,
            "namespace": self._args["namespace"],
            "labels": self._identity.labels,
        }

    def _role(self) -> Sequence[pulumi.Resource]:
        namespace = self._args["namespace"]
        role_type, binding_type = (
            (ClusterRole, ClusterRoleBinding) if self._is_cluster_wide else (Role, RoleBinding)
        )
        # Names of cluster-scoped objects are those of one stack.
        name = f"{EXTERNAL_SECRETS}-{namespace}" if self._is_cluster_wide else EXTERNAL_SECRETS
        metadata: ObjectMetaArgsDict = {"name": name, "labels": self._identity.labels}
        if not self._is_cluster_wide:
            metadata["namespace"] = namespace
        role = role_type(
            f"{self._name}-role", metadata=metadata, rules=_rbac_rules(), opts=self._child
        )
        binding = binding_type(
            f"{self._name}-role-binding",
            metadata=metadata,
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": role_type.__name__,
                "name": name,
            },
            subjects=[{"kind": "ServiceAccount", "name": EXTERNAL_SECRETS, "namespace": namespace}],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return role, binding

    def _network_policy(self) -> NetworkPolicy:
        args = self._args
        network = args["network"]
        # Stores of other stacks can be anywhere.
        stores = [NetworkPeer(None)] if self._is_cluster_wide else self._store_peers()
        egress = [ip_block_peer(network.node_cidrs, *API_SERVER_PORTS), *stores]
        prometheus = NetworkPeer(network.monitoring_namespace, (EXTERNAL_SECRETS_METRICS.port,))
        return NetworkPolicy(
            f"{self._name}-network",
            metadata=self._metadata(),
            spec={
                "pod_selector": {"match_labels": self._identity.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [prometheus.ingress],
                "egress": [DNS_EGRESS, *(peer.egress for peer in egress)],
            },
            opts=self._child,
        )

    def _store_peers(self) -> Iterable[NetworkPeer]:
        namespace = self._args["namespace"]
        peers = (peer for one in self._args["stores"].values() for peer in _peers(one, namespace))
        return _unique(peers)

    def _deployment(self, depends_on: Sequence[pulumi.Resource]) -> None:
        resources = self._args["settings"].resources
        scope = [] if self._is_cluster_wide else [f"--namespace={self._args['namespace']}"]
        Deployment(
            f"{self._name}-deployment",
            metadata=self._metadata(),
            spec={
                "replicas": 1,
                "selector": {"match_labels": self._identity.selector},
                # Two controllers would both write the Secrets.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": self._identity.labels},
                    "spec": {
                        "service_account_name": EXTERNAL_SECRETS,
                        "automount_service_account_token": True,
                        "enable_service_links": False,
                        "node_selector": {"kubernetes.io/os": "linux"},
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": _USER,
                            "run_as_group": _USER,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": EXTERNAL_SECRETS,
                                "image": IMAGES["externalSecrets"],
                                "image_pull_policy": "IfNotPresent",
                                "args": [
                                    *scope,
                                    f"--metrics-addr=:{EXTERNAL_SECRETS_METRICS.port}",
                                    f"--live-addr=:{_HEALTH_PORT}",
                                    "--store-requeue-interval=30s",
                                    "--enable-cluster-store-reconciler=false",
                                    "--enable-cluster-external-secret-reconciler=false",
                                    "--enable-cluster-push-secret-reconciler=false",
                                    "--enable-push-secret-reconciler=false",
                                ],
                                "ports": [
                                    {
                                        "name": "metrics",
                                        "container_port": EXTERNAL_SECRETS_METRICS.port,
                                        "protocol": "TCP",
                                    }
                                ],
                                "env": go_environment(resources.limits),
                                "resources": resource_requirements(resources, Decimal(0)),
                                "readiness_probe": {
                                    "http_get": {"path": "/healthz", "port": _HEALTH_PORT},
                                    "timeout_seconds": 5,
                                    "period_seconds": 2,
                                },
                                "liveness_probe": {
                                    "tcp_socket": {"port": _HEALTH_PORT},
                                    "timeout_seconds": 5,
                                    "period_seconds": 10,
                                    "failure_threshold": 6,
                                },
                                "security_context": SECURITY_CONTEXT,
                            }
                        ],
                    },
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )


def _peers(store: SecretStore, namespace: str) -> Iterable[NetworkPeer]:
    if store.vault:
        return peers_for_url(store.vault.server, namespace)
    if store.kubernetes:
        return ()  # the API server
    cloud = NetworkPeer(None, (443,))
    metadata_server = ip_block_peer(_GKE_METADATA_SERVER, *_GKE_METADATA_PORTS)
    return (cloud, metadata_server) if store.gcp else (cloud,)


def _unique(peers: Iterable[NetworkPeer]) -> Sequence[NetworkPeer]:
    unique: list[NetworkPeer] = []
    for peer in peers:
        if peer not in unique:
            unique.append(peer)
    return unique


def _rbac_rules() -> "list[PolicyRuleArgsDict]":
    return [
        {"api_groups": [group], "resources": [*resources], "verbs": [*verbs]}
        for group, resources, verbs in _RULES
    ]
