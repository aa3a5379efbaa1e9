"""Pod of an operator, and the objects that every operator needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding

from components.container import SECURITY_CONTEXT, go_environment, resource_requirements
from components.istio_sidecar import IstioSidecar
from components.labels import COMMON_LABELS, NAME_LABEL, Identity
from components.network_peer import DNS_EGRESS, NetworkPeer
from components.platform.definitions import definitions
from settings import ResourceRequirements

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import ProbeArgsDict
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "patch", "update")
Rules = Sequence[tuple[str, Sequence[str], Sequence[str]]]
"""API group, resources and verbs of each rule of a Role."""


@dataclass(frozen=True)
class OperatorPod:
    """One pod without replicas: two would both change the same objects."""

    name: str
    """Prefix of the names of the resources."""
    identity: Identity
    """Name and namespace of the objects."""
    parent: pulumi.Resource
    namespace: pulumi.Resource | None = None
    """Namespace that the objects are created after. ``None``: it exists."""

    @property
    def metadata(self) -> "ObjectMetaArgsDict":
        """Metadata of the objects in the namespace."""
        return {
            "name": self.identity.name,
            "namespace": self.identity.instance,
            "labels": self.identity.labels,
        }

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """Options of the objects that need only the namespace."""
        depends_on = [self.namespace] if self.namespace else None
        return pulumi.ResourceOptions(parent=self.parent, depends_on=depends_on)

    def account(self) -> ServiceAccount:
        """Create the ServiceAccount."""
        return ServiceAccount(
            f"{self.name}-account",
            metadata=self.metadata,
            # The pod spec sets it.
            automount_service_account_token=False,
            opts=self.opts,
        )

    def role(self, rules: Rules, cluster_role: str | None = None) -> Sequence[pulumi.Resource]:
        """Create the role of the ServiceAccount, and its binding.

        ``cluster_role`` is the name of a ClusterRole. Default: a Role in the namespace.
        """
        role_type, binding_type = (
            (ClusterRole, ClusterRoleBinding) if cluster_role else (Role, RoleBinding)
        )
        name = cluster_role or self.identity.name
        metadata: ObjectMetaArgsDict = self.metadata
        if cluster_role:
            metadata = {"name": name, "labels": self.identity.labels}
        role = role_type(
            f"{self.name}-role", metadata=metadata, rules=_rbac_rules(rules), opts=self.opts
        )
        binding = binding_type(
            f"{self.name}-role-binding",
            metadata=metadata,
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": role_type.__name__,
                "name": name,
            },
            subjects=[
                {
                    "kind": "ServiceAccount",
                    "name": self.identity.name,
                    "namespace": self.identity.instance,
                }
            ],
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=[role]),
        )
        return role, binding

    def custom_resource_definitions(self) -> Sequence[CustomResource]:
        """Create the operator's CustomResourceDefinitions.

        Other stacks may use them: they are kept when the parent is deleted.
        """
        return [
            CustomResource(
                f"{self.name}-crd-{definition['spec']['names']['plural']}",
                api_version=definition["apiVersion"],
                kind=definition["kind"],
                metadata={
                    "name": definition["metadata"]["name"],
                    "labels": {NAME_LABEL: self.identity.name, **COMMON_LABELS},
                    # Stacks that share a cluster have the same definitions.
                    "annotations": {"pulumi.com/patchForce": "true"},
                },
                spec=definition["spec"],
                opts=pulumi.ResourceOptions(parent=self.parent, retain_on_delete=True),
            )
            for definition in definitions(self.identity.name)
        ]

    def network_policy(
        self, ingress: Sequence[NetworkPeer], egress: Sequence[NetworkPeer]
    ) -> NetworkPolicy:
        """Create the NetworkPolicy. Besides ``egress``, the pod reaches the cluster's DNS."""
        return NetworkPolicy(
            f"{self.name}-network",
            metadata=self.metadata,
            spec={
                "pod_selector": {"match_labels": self.identity.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [peer.ingress for peer in ingress],
                "egress": [DNS_EGRESS, *(peer.egress for peer in egress)],
            },
            opts=self.opts,
        )

    def deployment(
        self,
        image: str,
        arguments: Sequence[str],
        *,
        user: int,
        ports: Mapping[str, int],
        resources: ResourceRequirements,
        readiness: "ProbeArgsDict",
        liveness: "ProbeArgsDict",
        depends_on: Sequence[pulumi.Resource],
        uses_api: bool = True,
        sidecar: IstioSidecar | None = None,
    ) -> None:
        """Create the Deployment. ``uses_api``: the pod has the token of the ServiceAccount."""
        Deployment(
            f"{self.name}-deployment",
            metadata=self.metadata,
            spec={
                "replicas": 1,
                "selector": {"match_labels": self.identity.selector},
                # During a rollout too, there are no two pods.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": self._pod_metadata(sidecar),
                    "spec": {
                        "service_account_name": self.identity.name,
                        "automount_service_account_token": uses_api,
                        "enable_service_links": False,
                        "node_selector": {"kubernetes.io/os": "linux"},
                        "security_context": {
                            "run_as_non_root": True,
                            "run_as_user": user,
                            "run_as_group": user,
                            "seccomp_profile": {"type": "RuntimeDefault"},
                        },
                        "containers": [
                            {
                                "name": self.identity.name,
                                "image": image,
                                "image_pull_policy": "IfNotPresent",
                                "args": [*arguments],
                                "ports": [
                                    {"name": name, "container_port": port, "protocol": "TCP"}
                                    for name, port in ports.items()
                                ],
                                "env": go_environment(resources.limits),
                                "resources": resource_requirements(resources, Decimal(0)),
                                "readiness_probe": {
                                    **readiness,
                                    "timeout_seconds": 5,
                                    "period_seconds": 2,
                                },
                                "liveness_probe": {
                                    **liveness,
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
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=depends_on),
        )

    def _pod_metadata(self, sidecar: IstioSidecar | None) -> "ObjectMetaArgsDict":
        if sidecar is None:
            return {"labels": self.identity.labels}
        labels = {**self.identity.labels, **sidecar.labels}
        return {"labels": labels, "annotations": sidecar.annotations}


def _rbac_rules(rules: Rules) -> "list[PolicyRuleArgsDict]":
    return [
        {"api_groups": [group], "resources": [*resources], "verbs": [*verbs]}
        for group, resources, verbs in rules
    ]
