"""NetworkPolicies of a service: connections that it accepts and opens."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.istio_sidecar import METRICS_PORT, IstioSidecar
from components.labels import INSTANCE_LABEL, PRIMARY, Identity, Labels
from components.network_peer import DNS_EGRESS, NetworkPeer, peers_for_url, pod_selector
from components.observability.addresses import LOAD_TESTER, PROMETHEUS
from components.observability.trace_receiver import TraceReceiver
from settings import Network, PeerFrom, PeerTo, Ports, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import LabelSelectorArgsDict
    from pulumi_kubernetes.networking.v1 import (
        NetworkPolicyEgressRuleArgsDict,
        NetworkPolicyIngressRuleArgsDict,
        NetworkPolicySpecArgsDict,
    )

_QUEUE_PROXY_PORTS = (8012, 8013)
"""Ports of Knative's container ``queue-proxy``: HTTP and HTTP/2."""
_QUEUE_METRICS_PORT = 9090
"""Port of ``queue-proxy`` with the metrics that Knative scales by."""


def ingress_rules(
    service: Service, namespace: str, network: Network, sidecar: IstioSidecar | None = None
) -> "list[NetworkPolicyIngressRuleArgsDict]":
    """Return the connections that the pods accept: of the proxy, of Prometheus and of peers."""
    peers: list[NetworkPeer] = []
    if service.is_knative:
        knative_ports = (*_QUEUE_PROXY_PORTS, _QUEUE_METRICS_PORT)
        peers.append(NetworkPeer(network.knative_namespace, knative_ports))
        peers.append(NetworkPeer(network.proxy_namespace, _QUEUE_PROXY_PORTS))
    elif service.routes:
        peers.append(NetworkPeer(network.proxy_namespace, tuple(service.routes)))
    metrics_ports = [*filter(None, [service.scraped_port]), *([METRICS_PORT] if sidecar else [])]
    if metrics_ports:
        peers.append(PROMETHEUS.peer(network.monitoring_namespace, *metrics_ports))
    if service.release.strategy == "progressive" and service.release.progressive.load:
        peers.append(LOAD_TESTER.peer(namespace, *service.routes))
    peers += [_from(peer, service, namespace) for peer in service.peers.from_]
    return [peer.ingress for peer in peers]


def network_policy_spec(
    service: Service,
    pods: Labels,
    namespace: str,
    *,
    network: Network,
    traces: TraceReceiver | None,
    stack_ports: Mapping[str, Ports],
    sidecar: IstioSidecar | None = None,
) -> "NetworkPolicySpecArgsDict":
    """Return the spec of the NetworkPolicy of the service's pods with the labels ``pods``."""
    return {
        "pod_selector": {"match_labels": pods},
        "policy_types": ["Ingress", "Egress"],
        "ingress": ingress_rules(service, namespace, network, sidecar),
        "egress": egress_rules(service, namespace, traces, stack_ports, sidecar),
    }


def egress_rules(
    service: Service,
    namespace: str,
    traces: TraceReceiver | None,
    stack_ports: Mapping[str, Ports],
    sidecar: IstioSidecar | None = None,
) -> "list[NetworkPolicyEgressRuleArgsDict]":
    """Return the connections that the pods open: to DNS, to the trace receiver and to peers.

    Those with a sidecar connect to istiod too.

    ``stack_ports`` has the ports of each service of the stack.
    """
    peers = list(traces.peers) if traces and service.tracing.enabled else []
    for peer in service.peers.to:
        peers += _to(peer, namespace, stack_ports)
    if sidecar:
        peers.append(sidecar.istiod)
    return [DNS_EGRESS, *(peer.egress for peer in peers)]


def _from(peer: PeerFrom, service: Service, namespace: str) -> NetworkPeer:
    ports = peer.ports or tuple(service.served_ports)
    if peer.service:
        return _service_peer(peer.service, namespace, ports)
    if peer.cidr:
        return NetworkPeer(None, ports, networks=(ip_network(peer.cidr),))
    return NetworkPeer(peer.namespace, ports, peer.pod_labels)


def _to(peer: PeerTo, namespace: str, stack_ports: Mapping[str, Ports]) -> Iterator[NetworkPeer]:
    if peer.service:
        ports = _port_numbers(stack_ports[peer.service], peer)
        yield _service_peer(peer.service, namespace, ports)
    elif peer.cidr:
        yield NetworkPeer(None, peer.ports, networks=(ip_network(peer.cidr),))
    elif peer.host:
        for port in peer.ports:
            yield from peers_for_url(f"tcp://{peer.host}:{port}", namespace)
    else:
        yield NetworkPeer(peer.namespace, peer.ports, peer.pod_labels)


def _service_peer(name: str, namespace: str, ports: tuple[int | str, ...]) -> NetworkPeer:
    """Peer for the pods of a service, also for those of the primary that Flagger creates."""
    return NetworkPeer(namespace, ports, {INSTANCE_LABEL: namespace}, _pod_names(name))


def _service_pods(name: str, namespace: str) -> "LabelSelectorArgsDict":
    return pod_selector({INSTANCE_LABEL: namespace}, _pod_names(name))


def _pod_names(name: str) -> tuple[str, str]:
    return name, f"{name}{PRIMARY}"


def _port_numbers(ports: Ports, peer: PeerTo) -> tuple[int, ...]:
    return tuple(ports[port] if isinstance(port, str) else port for port in peer.ports or ports)


class PeerPoliciesArgs(TypedDict):
    """Arguments of :class:`PeerPolicies`."""

    service: Service
    namespace: str
    stack_ports: Mapping[str, Ports]
    """Ports of each service of the stack."""


class PeerPolicies(pulumi.ComponentResource):
    """NetworkPolicies of a service's peers in the stack: ingress from it, and egress to it.

    NetworkPolicies are additive, so the peers' own NetworkPolicies do not change.
    """

    def __init__(
        self, name: str, args: PeerPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:peers:PeerPolicies", name, None, opts)
        self._name = name
        self._args = args
        service, namespace, stack_ports = args["service"], args["namespace"], args["stack_ports"]
        for peer in service.peers.to:
            if peer.service:
                ports = _port_numbers(stack_ports[peer.service], peer)
                self._policy(
                    f"to-{peer.service}",
                    {
                        "pod_selector": _service_pods(peer.service, namespace),
                        "policy_types": ["Ingress"],
                        "ingress": [_service_peer(service.name, namespace, ports).ingress],
                    },
                )
        for peer in service.peers.from_:
            if peer.service:
                served = service.served_ports
                ports = tuple(served[port] for port in peer.ports or served)
                self._policy(
                    f"from-{peer.service}",
                    {
                        "pod_selector": _service_pods(peer.service, namespace),
                        "policy_types": ["Egress"],
                        "egress": [_service_peer(service.name, namespace, ports).egress],
                    },
                )
        self.register_outputs({})

    def _policy(self, suffix: str, spec: "NetworkPolicySpecArgsDict") -> None:
        name, namespace = self._args["service"].name, self._args["namespace"]
        NetworkPolicy(
            f"{self._name}-{suffix}",
            metadata={
                "name": f"{name}-{suffix}",
                "namespace": namespace,
                "labels": Identity(name, namespace).labels,
            },
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )
