"""One end of allowed traffic, and the rules of a network policy that allow it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.labels import Labels

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import (
        NetworkPolicyEgressRuleArgsDict,
        NetworkPolicyIngressRuleArgsDict,
        NetworkPolicyPeerArgsDict,
        NetworkPolicyPortArgsDict,
    )


@dataclass(frozen=True)
class Peer:
    """Pods, and the ports by which they, or whom they connect to, answer."""

    namespace: str | None
    """Where they are. ``None``: anywhere, also outside the cluster."""
    ports: tuple[int | str, ...] = ()
    """TCP ports, by number or by the name that pods give them. Empty: every one."""
    pods: Labels = field(default_factory=dict)
    """The pods' labels. Empty: every pod of the namespace."""

    @property
    def ingress(self) -> "NetworkPolicyIngressRuleArgsDict":
        """The rule that lets them connect."""
        rule: NetworkPolicyIngressRuleArgsDict = {}
        if self.namespace is not None:
            rule["from_"] = [self._selector(self.namespace)]
        if self.ports:
            rule["ports"] = self._ports
        return rule

    @property
    def egress(self) -> "NetworkPolicyEgressRuleArgsDict":
        """The rule that lets others connect to them."""
        rule: NetworkPolicyEgressRuleArgsDict = {}
        if self.namespace is not None:
            rule["to"] = [self._selector(self.namespace)]
        if self.ports:
            rule["ports"] = self._ports
        return rule

    def _selector(self, namespace: str) -> "NetworkPolicyPeerArgsDict":
        inside: NetworkPolicyPeerArgsDict = {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": namespace}}
        }
        return {**inside, "pod_selector": {"match_labels": self.pods}} if self.pods else inside

    @property
    def _ports(self) -> "list[NetworkPolicyPortArgsDict]":
        return [{"port": port, "protocol": "TCP"} for port in self.ports]


TO_DNS: "NetworkPolicyEgressRuleArgsDict" = {
    **Peer("kube-system", pods={"k8s-app": "kube-dns"}).egress,
    "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
}
"""Lets pods look up names."""
