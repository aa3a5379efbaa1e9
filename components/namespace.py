"""The namespace: what may run in it, how much of it, and who may talk to whom."""

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, ResourceQuota
from pulumi_kubernetes.core.v1 import Namespace as KubernetesNamespace
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.labels import Identity
from components.versions import KUBERNETES
from settings import Compute, ContainerLimits, Quota

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import LimitRangeItemArgsDict

PodSecurity = Literal["restricted", "privileged"]


class NamespaceArgs(TypedDict):
    """What a :class:`Namespace` is made from."""

    quota: NotRequired[Quota | None]
    """What all pods may take together; by default 50 pods of the default size. ``None``: all."""
    limits: NotRequired[ContainerLimits | None]
    """What one container gets and may ask for. ``None``: whatever it asks for."""
    pod_security: NotRequired[PodSecurity]
    """The standard that pods have to meet; by default ``restricted``."""


class Namespace(pulumi.ComponentResource):
    """A namespace that enforces Pod Security, a quota, and no traffic by default."""

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
                "labels": identity.labels | _enforcing(args.get("pod_security", "restricted")),
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        if quota := args.get("quota", Quota()):
            ResourceQuota(
                f"{name}-quota",
                metadata={"name": "quota", "namespace": name, "labels": identity.labels},
                spec={"hard": _hard(quota)},
                opts=inside,
            )
        if limits := args.get("limits", ContainerLimits()):
            LimitRange(
                f"{name}-limits",
                metadata={"name": "limits", "namespace": name, "labels": identity.labels},
                spec={"limits": [_container(limits)]},
                opts=inside,
            )
        NetworkPolicy(
            f"{name}-default-deny",
            metadata={"name": "default-deny", "namespace": name, "labels": identity.labels},
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            opts=inside,
        )
        self.register_outputs({"name": name})


def _enforcing(standard: PodSecurity) -> dict[str, str]:
    return {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        # Of a certain version: a newer cluster that asks for more stops no pod that ran yesterday.
        for suffix, value in (("", standard), ("-version", f"v{KUBERNETES}"))
    }


def _hard(quota: Quota) -> dict[str, str]:
    return {
        "pods": str(quota.pods),
        "requests.cpu": quota.requests.cpu,
        "requests.memory": quota.requests.memory,
        "limits.cpu": quota.limits.cpu,
        "limits.memory": quota.limits.memory,
        # Everything comes in through the proxy.
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def _container(limits: ContainerLimits) -> "LimitRangeItemArgsDict":
    def of(compute: Compute) -> dict[str, str]:
        return {"cpu": compute.cpu, "memory": compute.memory}

    return {
        "type": "Container",
        "default_request": of(limits.default_request),
        "default": of(limits.default),
        "max": of(limits.max),
    }
