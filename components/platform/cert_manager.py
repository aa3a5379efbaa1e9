"""cert-manager: the controller that issues and renews certificates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.labels import CERT_MANAGER, Identity
from components.namespace import Namespace
from components.network_peer import (
    API_SERVER_PORTS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import CERT_MANAGER_METRICS, PROMETHEUS
from components.platform.operator_pod import READ, WRITE, OperatorPod, Rules
from components.versions import server_image
from settings import CertManagerSettings, Network, Service

if TYPE_CHECKING:
    pass

_HEALTH_PORT = 9403
_USER = 10001
_RULES: Rules = (
    (
        "cert-manager.io",
        (
            *("certificates", "certificates/finalizers", "certificates/status"),
            *("certificaterequests", "certificaterequests/finalizers"),
            *("certificaterequests/status", "clusterissuers", "clusterissuers/status"),
            *("issuers", "issuers/status"),
        ),
        (*READ, *WRITE),
    ),
    (
        "acme.cert-manager.io",
        (
            *("challenges", "challenges/finalizers", "challenges/status"),
            *("orders", "orders/finalizers", "orders/status"),
        ),
        (*READ, *WRITE),
    ),
    ("", ("secrets",), (*READ, *WRITE)),
    ("", ("events",), ("create", "patch")),
    # Pods, Services and routes that answer HTTP-01 challenges.
    ("", ("pods", "services"), (*READ, "create", "delete")),
    ("networking.k8s.io", ("ingresses", "ingresses/finalizers"), (*READ, *WRITE)),
    ("gateway.networking.k8s.io", ("httproutes", "httproutes/finalizers"), (*READ, *WRITE)),
    ("gateway.networking.k8s.io", ("gateways",), READ),
)


class CertManagerArgs(TypedDict):
    """Arguments of :class:`CertManager`."""

    settings: CertManagerSettings
    network: Network
    services: Sequence[Service]
    """Services whose certificates Issuers of the stack issue."""


class CertManager(pulumi.ComponentResource):
    """Controller of cert-manager, in a namespace of its own.

    It serves the whole cluster. Its webhook and the injector of the webhook's CA are left out: the
    API server checks the objects by the CustomResourceDefinitions, and the settings are checked
    before. The CustomResourceDefinitions, and with them the certificates of other stacks, are kept
    when the component is deleted.
    """

    def __init__(
        self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:CertManager", name, None, opts)
        self._args = args
        namespace = Namespace(
            args["settings"].namespace,
            {"resource_quota": None, "limit_range": None},
            opts=pulumi.ResourceOptions(parent=self),
        )
        identity = Identity(CERT_MANAGER, args["settings"].namespace)
        self._pod = OperatorPod(name, identity, self, namespace)
        self._deployment(
            [
                self._network_policy(),
                self._pod.account(),
                # Named after the namespace: the cluster may have a cert-manager in another one.
                *self._pod.role(_RULES, cluster_role=identity.instance),
                *self._pod.custom_resource_definitions(),
            ]
        )
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "CertManager | None":
        """cert-manager for the services. ``None``: there are none, or the cluster has one."""
        return cls(name, args, opts) if args["services"] and args["settings"].enabled else None

    @property
    def _uses_gateways(self) -> bool:
        """True if HTTP-01 challenges are answered over Gateways."""
        return self._args["settings"].gateway_api or any(
            one.routing and one.routing.backend == "gateway" and one.tls.mode == "acme"
            for one in self._args["services"]
        )

    def _network_policy(self) -> NetworkPolicy:
        network, acme = self._args["network"], self._args["settings"].acme
        peers = [
            ip_block_peer(network.node_cidrs, *API_SERVER_PORTS),
            # ACME servers, DNS providers, and the proxy, which answers the challenges.
            NetworkPeer(None, (80, 443)),
            NetworkPeer(network.proxy_namespace),
            *(peers_for_url(acme.server, self._pod.identity.instance) if acme else ()),
        ]
        prometheus = PROMETHEUS.peer(network.monitoring_namespace, "metrics")
        return self._pod.network_policy([prometheus], peers)

    def _deployment(self, depends_on: Sequence[pulumi.Resource]) -> None:
        self._pod.deployment(
            server_image("certManager"),
            [
                f"--cluster-resource-namespace={self._pod.identity.instance}",
                f"--acme-http01-solver-image={server_image('certManagerAcmeSolver')}",
                # One pod needs none.
                "--leader-elect=false",
                # The policy allows the cluster's DNS servers only.
                "--dns01-recursive-nameservers-only",
                *(["--enable-gateway-api"] if self._uses_gateways else []),
            ],
            user=_USER,
            ports={"metrics": CERT_MANAGER_METRICS.port, "health": _HEALTH_PORT},
            resources=self._args["settings"].resources,
            readiness={"tcp_socket": {"port": "metrics"}},
            liveness={"http_get": {"path": "/livez", "port": "health", "scheme": "HTTP"}},
            depends_on=depends_on,
        )
