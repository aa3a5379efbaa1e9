"""Flagger, which controls progressive releases, and its load tester."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service as KubernetesService
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.labels import FLAGGER, NAME_LABEL, Identity
from components.network_peer import (
    API_SERVER_PORTS,
    DNS_EGRESS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import LOAD_TESTER
from components.platform.definitions import custom_resource_definitions
from components.versions import IMAGES
from settings import FlaggerSettings, Network, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ProbeArgsDict
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_PORT = 8080
_USER = 10001
_COPIED_LABELS = "app.kubernetes.io/,owner,track"
"""Prefixes of labels of a Deployment that Flagger copies to that of the primary."""
_RESOURCES = {
    "": ("configmaps", "events", "secrets", "services"),
    "apps": ("daemonsets", "deployments"),
    "autoscaling": ("horizontalpodautoscalers",),
    "flagger.app": (
        *("alertproviders", "alertproviders/status", "canaries", "canaries/finalizers"),
        *("canaries/status", "metrictemplates", "metrictemplates/status"),
    ),
    "gateway.networking.k8s.io": ("httproutes",),
    "networking.k8s.io": ("ingresses",),
}
"""Resources that Flagger reads and changes, by API group, in the stack's namespace."""


class FlaggerArgs(TypedDict):
    """Arguments of :class:`Flagger`."""

    namespace: str
    """Namespace of Flagger and of the Canaries that it watches."""
    settings: FlaggerSettings
    network: Network
    prometheus: str
    """URL of Prometheus."""
    services: Sequence[Service]
    """Services with strategy ``progressive``."""


class Flagger(pulumi.ComponentResource):
    """Flagger and its load tester, one pod each.

    Flagger is restricted to the namespace. The CustomResourceDefinitions, which other stacks may
    use, are kept when the component is deleted.
    """

    def __init__(
        self, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Flagger", name, None, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._has_load_tester = any(
            service.release.progressive.needs_load_tester for service in args["services"]
        )
        if args["settings"].enabled:
            self._flagger()
        if self._has_load_tester:
            self._load_tester()
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "Flagger | None":
        """Flagger for the services. ``None``: there are none."""
        return cls(name, args, opts) if args["services"] else None

    def _flagger(self) -> None:
        args = self._args
        peers = [
            ip_block_peer(args["network"].node_cidrs, *API_SERVER_PORTS),
            *peers_for_url(args["prometheus"], args["namespace"]),
        ]
        if self._has_load_tester:
            peers.append(LOAD_TESTER.peer(args["namespace"]))
        policy = self._network_policy(FLAGGER, [], peers)
        self._deployment(
            FLAGGER,
            IMAGES["flagger"],
            _PORT,
            [
                "-log-level=info",
                f"-namespace={args['namespace']}",
                f"-metrics-server={args['prometheus']}",
                f"-selector-labels={NAME_LABEL}",
                f"-include-label-prefix={_COPIED_LABELS}",
            ],
            [
                policy,
                self._account(FLAGGER),
                *self._role(),
                *custom_resource_definitions(self._name, FLAGGER, self),
            ],
            uses_api=True,
        )

    def _load_tester(self) -> None:
        namespace, name = self._args["namespace"], LOAD_TESTER.server
        flagger = NetworkPeer(namespace, (LOAD_TESTER.port,), {NAME_LABEL: FLAGGER})
        # It runs any command that a client sends.
        policy = self._network_policy(name, [flagger], [NetworkPeer(namespace)])
        self._deployment(
            name,
            IMAGES["flaggerLoadtester"],
            LOAD_TESTER.port,
            ["-log-level=info", f"-port={LOAD_TESTER.port}", "-timeout=1h"],
            [policy, self._account(name)],
            uses_api=False,
        )
        KubernetesService(
            f"{self._name}-loadtester-service",
            metadata={
                **self._metadata(name),
                # The Deployment's await covers the pods that the Service would wait for.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": self._identity(name).selector,
                "ports": [
                    {
                        "name": "http",
                        "port": LOAD_TESTER.port,
                        "target_port": "http",
                        "protocol": "TCP",
                    }
                ],
            },
            opts=self._child,
        )

    def _identity(self, name: str) -> Identity:
        return Identity(name, self._args["namespace"])

    def _metadata(self, name: str) -> "ObjectMetaArgsDict":
        return {
            "name": name,
            "namespace": self._args["namespace"],
            "labels": self._identity(name).labels,
        }

    def _resource_name(self, name: str, suffix: str) -> str:
        return f"{self._name}{name.removeprefix(FLAGGER)}-{suffix}"

    def _account(self, name: str) -> ServiceAccount:
        return ServiceAccount(
            self._resource_name(name, "account"),
            metadata=self._metadata(name),
            # The pod spec sets it.
            automount_service_account_token=False,
            opts=self._child,
        )

    def _role(self) -> Sequence[pulumi.Resource]:
        role = Role(
            f"{self._name}-role",
            metadata=self._metadata(FLAGGER),
            rules=_rbac_rules(),
            opts=self._child,
        )
        binding = RoleBinding(
            f"{self._name}-role-binding",
            metadata=self._metadata(FLAGGER),
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": FLAGGER},
            subjects=[
                {
                    "kind": "ServiceAccount",
                    "name": FLAGGER,
                    "namespace": self._args["namespace"],
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return role, binding

    def _network_policy(
        self, name: str, ingress: Sequence[NetworkPeer], egress: Sequence[NetworkPeer]
    ) -> NetworkPolicy:
        return NetworkPolicy(
            self._resource_name(name, "network"),
            metadata=self._metadata(name),
            spec={
                "pod_selector": {"match_labels": self._identity(name).selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [peer.ingress for peer in ingress],
                "egress": [DNS_EGRESS, *(peer.egress for peer in egress)],
            },
            opts=self._child,
        )

    def _deployment(
        self,
        name: str,
        image: str,
        port: int,
        arguments: Sequence[str],
        depends_on: Sequence[pulumi.Resource],
        *,
        uses_api: bool,
    ) -> None:
        identity, resources = self._identity(name), self._args["settings"].resources
        probe: ProbeArgsDict = {
            "http_get": {"path": "/healthz", "port": port, "scheme": "HTTP"},
            "timeout_seconds": 5,
        }
        Deployment(
            self._resource_name(name, "deployment"),
            metadata=self._metadata(name),
            spec={
                "replicas": 1,
                "selector": {"match_labels": identity.selector},
                # Two Flaggers would both advance a Canary.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": identity.labels},
                    "spec": {
                        "service_account_name": name,
                        "automount_service_account_token": uses_api,
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
                                "name": name,
                                "image": image,
                                "image_pull_policy": "IfNotPresent",
                                "args": [*arguments],
                                "ports": [
                                    {"name": "http", "container_port": port, "protocol": "TCP"}
                                ],
                                "env": go_environment(resources.limits),
                                "resources": resource_requirements(resources, Decimal(0)),
                                "readiness_probe": {**probe, "period_seconds": 2},
                                "liveness_probe": {
                                    "tcp_socket": {"port": port},
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
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    return [
        {"api_groups": [group], "resources": [*resources], "verbs": verbs}
        for group, resources in _RESOURCES.items()
    ]
