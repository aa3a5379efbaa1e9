"""External Secrets, which copies values of secret stores into Secrets."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.labels import Identity
from components.network_peer import (
    API_SERVER_PORTS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import EXTERNAL_SECRETS_METRICS
from components.platform.operator_pod import READ, WRITE, OperatorPod, Rules
from components.versions import server_image
from settings import EXTERNAL_SECRETS, ExternalSecretsSettings, Network, SecretStore, SecretStores

if TYPE_CHECKING:
    pass

_HEALTH_PORT = 8082
_USER = 65532
_GKE_METADATA_SERVER = ("169.254.169.252/32", "169.254.169.254/32")
_GKE_METADATA_PORTS = (80, 988)
_RULES: Rules = (
    ("external-secrets.io", ("externalsecrets", "secretstores"), (*READ, "patch", "update")),
    (
        "external-secrets.io",
        ("externalsecrets/status", "secretstores/status"),
        ("get", "patch", "update"),
    ),
    ("generators.external-secrets.io", ("generatorstates",), (*READ, *WRITE)),
    ("", ("secrets",), (*READ, *WRITE)),
    ("", ("configmaps", "serviceaccounts"), READ),
    ("", ("serviceaccounts/token",), ("create",)),
    ("", ("events",), ("create", "patch")),
)


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
        self._args = args
        self._is_cluster_wide = args["settings"].scope == "cluster"
        namespace = args["namespace"]
        self._pod = OperatorPod(name, Identity(EXTERNAL_SECRETS, namespace), self)
        # Names of cluster-scoped objects are those of one stack.
        cluster_role = f"{EXTERNAL_SECRETS}-{namespace}" if self._is_cluster_wide else None
        self._deployment(
            [
                self._pod.account(),
                *self._pod.role(_RULES, cluster_role),
                self._network_policy(),
                *self._pod.custom_resource_definitions(),
            ]
        )
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: ExternalSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "ExternalSecrets | None":
        """External Secrets for the stores. ``None``: there are none, or the cluster has it."""
        return cls(name, args, opts) if args["stores"] and args["settings"].enabled else None

    def _network_policy(self) -> NetworkPolicy:
        network = self._args["network"]
        # Stores of other stacks can be anywhere.
        stores = [NetworkPeer(None)] if self._is_cluster_wide else self._store_peers()
        egress = [ip_block_peer(network.node_cidrs, *API_SERVER_PORTS), *stores]
        prometheus = NetworkPeer(network.monitoring_namespace, (EXTERNAL_SECRETS_METRICS.port,))
        return self._pod.network_policy([prometheus], egress)

    def _store_peers(self) -> Iterable[NetworkPeer]:
        namespace = self._args["namespace"]
        peers = (peer for one in self._args["stores"].values() for peer in _peers(one, namespace))
        return _unique(peers)

    def _deployment(self, depends_on: Sequence[pulumi.Resource]) -> None:
        scope = [] if self._is_cluster_wide else [f"--namespace={self._args['namespace']}"]
        self._pod.deployment(
            server_image("externalSecrets"),
            [
                *scope,
                f"--metrics-addr=:{EXTERNAL_SECRETS_METRICS.port}",
                f"--live-addr=:{_HEALTH_PORT}",
                "--store-requeue-interval=30s",
                "--enable-cluster-store-reconciler=false",
                "--enable-cluster-external-secret-reconciler=false",
                "--enable-cluster-push-secret-reconciler=false",
                "--enable-push-secret-reconciler=false",
            ],
            user=_USER,
            ports={"metrics": EXTERNAL_SECRETS_METRICS.port},
            resources=self._args["settings"].resources,
            readiness={"http_get": {"path": "/healthz", "port": _HEALTH_PORT}},
            liveness={"tcp_socket": {"port": _HEALTH_PORT}},
            depends_on=depends_on,
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
