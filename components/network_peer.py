"""One end of allowed traffic, and the rules of a network policy that allow it."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.labels import Labels

if TYPE_CHECKING:
    from pulumi_kubernetes.networking.v1 import (
        NetworkPolicyEgressRuleArgsDict,
        NetworkPolicyIngressRuleArgsDict,
        NetworkPolicyPeerArgsDict,
        NetworkPolicyPortArgsDict,
    )


@dataclass(frozen=True)
class NetworkPeer:
    """Pods, and the ports by which they, or whom they connect to, answer."""

    namespace: str | None
    """Where they are. ``None``: anywhere, also outside the cluster."""
    ports: tuple[int | str, ...] = ()
    """TCP ports, by number or by the name that pods give them. Empty: every one."""
    pods: Labels = field(default_factory=dict)
    """The pods' labels. Empty: every pod of the namespace."""
    network: IPv4Network | IPv6Network | None = None
    """Where they are outside the cluster, instead of a namespace. ``None``: not told."""

    @property
    def ingress(self) -> "NetworkPolicyIngressRuleArgsDict":
        """The rule that lets them connect."""
        rule: NetworkPolicyIngressRuleArgsDict = {}
        if selectors := self._selectors:
            rule["from_"] = selectors
        if self.ports:
            rule["ports"] = self._ports
        return rule

    @property
    def egress(self) -> "NetworkPolicyEgressRuleArgsDict":
        """The rule that lets others connect to them."""
        rule: NetworkPolicyEgressRuleArgsDict = {}
        if selectors := self._selectors:
            rule["to"] = selectors
        if self.ports:
            rule["ports"] = self._ports
        return rule

    @property
    def _selectors(self) -> "list[NetworkPolicyPeerArgsDict]":
        if self.network is not None:
            return [{"ip_block": {"cidr": str(self.network)}}]
        if self.namespace is None:
            return []
        inside: NetworkPolicyPeerArgsDict = {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": self.namespace}}
        }
        if self.pods:
            inside["pod_selector"] = {"match_labels": self.pods}
        return [inside]

    @property
    def _ports(self) -> "list[NetworkPolicyPortArgsDict]":
        return [{"port": port, "protocol": "TCP"} for port in self.ports]


def peers_for_url(url: str, near: str) -> tuple[NetworkPeer, ...]:
    """Who may answer at a URL that pods of the namespace ``near`` ask, as far as it tells.

    A Service's pods are allowed by every port: theirs need not be the Service's, and a policy sees
    theirs. A name of two labels may be a Service and its namespace, or a domain.
    """
    host, port = urlsplit(url).hostname or "", port_of(url)
    try:
        return (NetworkPeer(None, (port,), network=ip_network(host)),)
    except ValueError:
        pass
    match host.rstrip(".").split("."):
        case [_]:
            return (NetworkPeer(near),)
        case [_, namespace]:
            return (NetworkPeer(namespace), NetworkPeer(None, (port,)))
        case [_, namespace, "svc", *_]:
            return (NetworkPeer(namespace),)
    return (NetworkPeer(None, (port,)),)


def port_of(url: str) -> int:
    """The port that a URL leads to, also where it does not say."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


DNS_EGRESS: "NetworkPolicyEgressRuleArgsDict" = {
    **NetworkPeer("kube-system", pods={"k8s-app": "kube-dns"}).egress,
    "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
}
"""Lets pods look up names."""
