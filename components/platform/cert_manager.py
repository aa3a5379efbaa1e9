"""cert-manager: the controller that issues and renews certificates."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.labels import CERT_MANAGER, Identity
from components.namespace import Namespace
from components.network_peer import (
    API_SERVER_PORTS,
    DNS_EGRESS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import CERT_MANAGER_METRICS, PROMETHEUS
from components.platform.definitions import custom_resource_definitions
from components.versions import IMAGES
from settings import CertManagerSettings, Network, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_HEALTH_PORT = 9403
_USER = 10001
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "patch", "update")
_RULES: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    (
        "cert-manager.io",
        (
            *("certificates", "certificates/finalizers", "certificates/status"),
            *("certificaterequests", "certificaterequests/finalizers"),
            *("certificaterequests/status", "clusterissuers", "clusterissuers/status"),
            *("issuers", "issuers/status"),
        ),
        (*_READ, *_WRITE),
    ),
    (
        "acme.cert-manager.io",
        (
            *("challenges", "challenges/finalizers", "challenges/status"),
            *("orders", "orders/finalizers", "orders/status"),
        ),
        (*_READ, *_WRITE),
    ),
    ("", ("secrets",), (*_READ, *_WRITE)),
    ("", ("events",), ("create", "patch")),
    # Pods, Services and routes that answer HTTP-01 challenges.
    ("", ("pods", "services"), (*_READ, "create", "delete")),
    ("networking.k8s.io", ("ingresses", "ingresses/finalizers"), (*_READ, *_WRITE)),
    ("gateway.networking.k8s.io", ("httproutes", "httproutes/finalizers"), (*_READ, *_WRITE)),
    ("gateway.networking.k8s.io", ("gateways",), _READ),
)
"""API group, resources and verbs."""


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
        self._name = name
        self._args = args
        self._identity = Identity(CERT_MANAGER, args["settings"].namespace)
        namespace = Namespace(
            args["settings"].namespace,
            {"resource_quota": None, "limit_range": None},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._child = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        self._deployment(
            [
                self._network_policy(),
                *self._account(),
                *custom_resource_definitions(self._name, CERT_MANAGER, self),
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
            one.routing and one.routing.backend == "gateway" and one.routing.tls.mode == "acme"
            for one in self._args["services"]
        )

    @property
    def _metadata(self) -> "ObjectMetaArgsDict":
        return {
            "name": CERT_MANAGER,
            "namespace": self._identity.instance,
            "labels": self._identity.labels,
        }

    def _account(self) -> Sequence[pulumi.Resource]:
        account = ServiceAccount(
            f"{self._name}-account",
            metadata=self._metadata,
            # The pod spec sets it.
            automount_service_account_token=False,
            opts=self._child,
        )
        # Named after the namespace: the cluster may have a cert-manager in another one.
        name = self._identity.instance
        role = ClusterRole(
            f"{self._name}-role",
            metadata={"name": name, "labels": self._identity.labels},
            rules=_rbac_rules(),
            opts=self._child,
        )
        binding = ClusterRoleBinding(
            f"{self._name}-role-binding",
            metadata={"name": name, "labels": self._identity.labels},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": name,
            },
            subjects=[
                {
                    "kind": "ServiceAccount",
                    "name": CERT_MANAGER,
                    "namespace": self._identity.instance,
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return account, binding

    def _network_policy(self) -> NetworkPolicy:
        network, acme = self._args["network"], self._args["settings"].acme
        peers = [
            ip_block_peer(network.node_cidrs, *API_SERVER_PORTS),
            # ACME servers, DNS providers, and the proxy, which answers the challenges.
            NetworkPeer(None, (80, 443)),
            NetworkPeer(network.proxy_namespace),
            *(peers_for_url(acme.server, self._identity.instance) if acme else ()),
        ]
        prometheus = PROMETHEUS.peer(network.monitoring_namespace, "metrics")
        return NetworkPolicy(
            f"{self._name}-network",
            metadata=self._metadata,
            spec={
                "pod_selector": {"match_labels": self._identity.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [prometheus.ingress],
                "egress": [DNS_EGRESS, *(peer.egress for peer in peers)],
            },
            opts=self._child,
        )

    def _deployment(self, depends_on: Sequence[pulumi.Resource]) -> None:
        resources = self._args["settings"].resources
        Deployment(
            f"{self._name}-deployment",
            metadata=self._metadata,
            spec={
                "replicas": 1,
                "selector": {"match_labels": self._identity.selector},
                # There is no leader election: two controllers would both issue a certificate.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": self._identity.labels},
                    "spec": {
                        "service_account_name": CERT_MANAGER,
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
                                "name": CERT_MANAGER,
                                "image": IMAGES["certManager"],
                                "image_pull_policy": "IfNotPresent",
                                "args": [
                                    f"--cluster-resource-namespace={self._identity.instance}",
                                    f"--acme-http01-solver-image={IMAGES['certManagerAcmeSolver']}",
                                    "--leader-elect=false",
                                    # The policy allows the cluster's DNS servers only.
                                    "--dns01-recursive-nameservers-only",
                                    *(["--enable-gateway-api"] if self._uses_gateways else []),
                                ],
                                "ports": [
                                    {
                                        "name": name,
                                        "container_port": port,
                                        "protocol": "TCP",
                                    }
                                    for name, port in (
                                        ("metrics", CERT_MANAGER_METRICS.port),
                                        ("health", _HEALTH_PORT),
                                    )
                                ],
                                "env": go_environment(resources.limits),
                                "resources": resource_requirements(resources, Decimal(0)),
                                "readiness_probe": {
                                    "tcp_socket": {"port": "metrics"},
                                    "timeout_seconds": 5,
                                    "period_seconds": 2,
                                },
                                "liveness_probe": {
                                    "http_get": {
                                        "path": "/livez",
                                        "port": "health",
                                        "scheme": "HTTP",
                                    },
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


def _rbac_rules() -> "list[PolicyRuleArgsDict]":
    return [
        {"api_groups": [group], "resources": [*resources], "verbs": [*verbs]}
        for group, resources, verbs in _RULES
    ]
