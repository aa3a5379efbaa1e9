"""NetworkPolicy peers and the rules that allow traffic from and to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.labels import NAME_LABEL, Labels

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import LabelSelectorArgsDict
    from pulumi_kubernetes.networking.v1 import (
        NetworkPolicyEgressRuleArgsDict,
        NetworkPolicyIngressRuleArgsDict,
        NetworkPolicyPeerArgsDict,
        NetworkPolicyPortArgsDict,
    )

API_SERVER_PORTS = (443, 6443)
"""Usual ports of the API server. It is not a pod: a NetworkPolicy selects it by an IP block."""


@dataclass(frozen=True)
class NetworkPeer:
    """Pods or an IP block, and the destination ports of the connection."""

    namespace: str | None
    """Namespace of the pods. ``None``: any address, also outside the cluster."""
    ports: tuple[int | str, ...] = ()
    """TCP ports, by number or by container port name. Empty: all ports."""
    pods: Labels = field(default_factory=dict)
    """Labels of the pods. Empty: all pods of the namespace."""
    pod_names: tuple[str, ...] = ()
    """Values of the pods' label ``app.kubernetes.io/name``. Empty: any."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """IP blocks, used instead of a namespace."""

    @property
    def ingress(self) -> "NetworkPolicyIngressRuleArgsDict":
        """Rule that allows connections from the peer."""
        rule: NetworkPolicyIngressRuleArgsDict = {}
        if selectors := self._selectors:
            rule["from_"] = selectors
        if self.ports:
            rule["ports"] = self._ports
        return rule

    @property
    def egress(self) -> "NetworkPolicyEgressRuleArgsDict":
        """Rule that allows connections to the peer."""
        rule: NetworkPolicyEgressRuleArgsDict = {}
        if selectors := self._selectors:
            rule["to"] = selectors
        if self.ports:
            rule["ports"] = self._ports
        return rule

    @property
    def _selectors(self) -> "list[NetworkPolicyPeerArgsDict]":
        if self.networks:
            return [{"ip_block": {"cidr": str(network)}} for network in self.networks]
        if self.namespace is None:
            return []
        selector: NetworkPolicyPeerArgsDict = {
            "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": self.namespace}}
        }
        if self.pods or self.pod_names:
            selector["pod_selector"] = pod_selector(self.pods, self.pod_names)
        return [selector]

    @property
    def _ports(self) -> "list[NetworkPolicyPortArgsDict]":
        return [{"port": port, "protocol": "TCP"} for port in self.ports]


def pod_selector(labels: Labels, names: Sequence[str] = ()) -> "LabelSelectorArgsDict":
    """Return the selector of pods with these labels and one of these names."""
    selector: LabelSelectorArgsDict = {"match_labels": labels} if labels else {}
    if names:
        selector["match_expressions"] = [{"key": NAME_LABEL, "operator": "In", "values": [*names]}]
    return selector


def ip_block_peer(cidrs: Iterable[str], *ports: int) -> NetworkPeer:
    """Return the peer for IP addresses or IP blocks in CIDR notation."""
    return NetworkPeer(None, ports, networks=tuple(map(ip_network, cidrs)))


def peers_for_url(url: str, namespace: str) -> tuple[NetworkPeer, ...]:
    """Return the peers that ``url`` can resolve to in a pod of ``namespace``.

    A Service is allowed on all ports: a network policy sees the target port, which the URL does not
    contain. A host name of two labels can be a Service and its namespace, or a domain.
    """
    host, port = urlsplit(url).hostname or "", port_of(url)
    try:
        return (ip_block_peer([host], port),)
    except ValueError:
        pass
    match host.rstrip(".").split("."):
        case [_]:
            return (NetworkPeer(namespace),)
        case [_, other_namespace]:
            return (NetworkPeer(other_namespace), NetworkPeer(None, (port,)))
        case [_, other_namespace, "svc", *_]:
            return (NetworkPeer(other_namespace),)
    return (NetworkPeer(None, (port,)),)


def port_of(url: str) -> int:
    """Return the port of ``url``, by default that of its scheme."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


DNS_EGRESS: "NetworkPolicyEgressRuleArgsDict" = {
    **NetworkPeer("kube-system", pods={"k8s-app": "kube-dns"}).egress,
    "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
}
"""Rule that allows DNS lookups."""
