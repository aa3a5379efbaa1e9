"""Namespace with Pod Security, a resource quota, a limit range and a default-deny policy."""

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, ResourceQuota
from pulumi_kubernetes.core.v1 import Namespace as KubernetesNamespace
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.labels import STACK_ANNOTATION, Identity
from components.versions import KUBERNETES
from settings import LimitRangeSettings, ResourceList, ResourceQuotaSettings

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import LimitRangeItemArgsDict

PodSecurity = Literal["restricted", "privileged"]


class NamespaceArgs(TypedDict):
    """Arguments of :class:`Namespace`."""

    resource_quota: NotRequired[ResourceQuotaSettings | None]
    """ResourceQuota. Default: for 50 pods of the default size. ``None``: no quota."""
    limit_range: NotRequired[LimitRangeSettings | None]
    """LimitRange of containers. ``None``: no limit range."""
    pod_security: NotRequired[PodSecurity]
    """Enforced Pod Security Standard. Default: ``restricted``."""


class Namespace(pulumi.ComponentResource):
    """Namespace that enforces a Pod Security Standard and denies all traffic by default."""

    name: str

    def __init__(
        self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:namespace:Namespace", name, None, opts)
        self.name = name
        identity = Identity(name, name)
        namespace = KubernetesNamespace(
            f"{name}-namespace",
            metadata={
                "name": name,
                "annotations": {STACK_ANNOTATION: f"{pulumi.get_project()}/{pulumi.get_stack()}"},
                "labels": identity.labels
                | _pod_security_labels(args.get("pod_security", "restricted")),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        in_namespace = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        if quota := args.get("resource_quota", ResourceQuotaSettings()):
            ResourceQuota(
                f"{name}-quota",
                metadata={"name": "quota", "namespace": name, "labels": identity.labels},
                spec={"hard": _hard_limits(quota)},
                opts=in_namespace,
            )
        if limits := args.get("limit_range", LimitRangeSettings()):
            LimitRange(
                f"{name}-limits",
                metadata={"name": "limits", "namespace": name, "labels": identity.labels},
                spec={"limits": [_limit_range_item(limits)]},
                opts=in_namespace,
            )
        NetworkPolicy(
            f"{name}-default-deny",
            metadata={"name": "default-deny", "namespace": name, "labels": identity.labels},
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            opts=in_namespace,
        )
        self.register_outputs({"name": name})


def _pod_security_labels(standard: PodSecurity) -> dict[str, str]:
    return {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        # Pinned, so that upgrading the cluster rejects no pod that was admitted before.
        for suffix, value in (("", standard), ("-version", f"v{KUBERNETES}"))
    }


def _hard_limits(quota: ResourceQuotaSettings) -> dict[str, str]:
    return {
        "pods": str(quota.pods),
        "requests.cpu": quota.requests.cpu,
        "requests.memory": quota.requests.memory,
        "limits.cpu": quota.limits.cpu,
        "limits.memory": quota.limits.memory,
        # Requests from outside the cluster enter through the proxy only.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def _limit_range_item(limits: LimitRangeSettings) -> "LimitRangeItemArgsDict":
    def resources(compute: ResourceList) -> dict[str, str]:
        return {"cpu": compute.cpu, "memory": compute.memory}

    return {
        "type": "Container",
        "default_request": resources(limits.default_request),
        "default": resources(limits.default),
        "max": resources(limits.max),
    }
