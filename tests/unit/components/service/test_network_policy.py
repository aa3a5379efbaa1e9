"""NetworkPolicies of a service: connections that it accepts and opens."""

from typing import Any

import pytest

from components.network_peer import NetworkPeer
from components.observability.trace_receiver import TraceReceiver
from components.service.network_policy import PeerPolicies, egress_rules, ingress_rules
from settings import Service, Settings
from tests.unit.harness import Registry, run
from tests.unit.stacks import BEACON, changed, settings

NAMESPACE = "kubernetes.io/metadata.name"
ORDERS = changed(
    BEACON,
    {"ports": {"http": 8080, "grpc": 8081}, "routing": {"hosts": ["orders.localhost"]}},
)


def stack(**changes: Any) -> Settings:
    """Stack of the services beacon, with changes, and orders."""
    return settings(services={"orders": ORDERS}, **changes)


def pods(service: str) -> dict[str, Any]:
    """Selector of the pods of a service of the stack, of all tracks."""
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE: "home"}},
        "podSelector": selector(service),
    }


def selector(service: str) -> dict[str, Any]:
    """Selector of the pods, and of those of the primary that Flagger creates."""
    names = {
        "key": "app.kubernetes.io/name",
        "operator": "In",
        "values": [service, f"{service}-primary"],
    }
    return {
        "matchLabels": {"app.kubernetes.io/instance": "home"},
        "matchExpressions": [names],
    }


def tcp(*ports: int | str) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def camel(rules: Any) -> Any:
    """Rules with the keys of a manifest."""
    names = {
        "from_": "from",
        "namespace_selector": "namespaceSelector",
        "pod_selector": "podSelector",
        "match_labels": "matchLabels",
        "match_expressions": "matchExpressions",
        "ip_block": "ipBlock",
    }
    match rules:
        case dict():
            return {names.get(key, key): camel(value) for key, value in rules.items()}
        case list():
            return [camel(one) for one in rules]
    return rules


def ingress(**changes: Any) -> Any:
    found = stack(**changes)
    return camel(ingress_rules(found.services["beacon"], "home", found.network))


def egress(traces: TraceReceiver | None = None, **changes: Any) -> Any:
    """Egress rules beside that for DNS."""
    found = stack(**changes)
    ports = {name: one.served_ports for name, one in found.services.items()}
    dns, *rules = egress_rules(found.services["beacon"], "home", traces, ports)
    assert [port["port"] for port in dns["ports"]] == [53, 53]  # type: ignore[index]
    return camel(rules)


def test_ingress_is_allowed_from_the_proxy_and_from_prometheus_only() -> None:
    proxy, prometheus = ingress(
        network={"proxyNamespace": "edge", "monitoringNamespace": "watch"},
        ports={"http": 8080, "grpc": 8081, "metrics": 9102},
        routing={"port": "grpc"},
        metrics={"port": "metrics"},
    )
    assert proxy == {
        "from": [{"namespaceSelector": {"matchLabels": {NAMESPACE: "edge"}}}],
        "ports": tcp("grpc"),
    }
    (source,) = prometheus["from"]
    assert source["namespaceSelector"] == {"matchLabels": {NAMESPACE: "watch"}}
    assert source["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
    assert prometheus["ports"] == tcp("metrics")


def test_nothing_connects_to_a_worker() -> None:
    assert ingress(ports={}, routing=None, metrics=None) == []


@pytest.mark.parametrize(
    ("peer", "source", "ports"),
    [
        ({"service": "orders"}, pods("orders"), ("http", "grpc")),
        ({"service": "orders", "ports": ["grpc"]}, pods("orders"), ("grpc",)),
        (
            {"namespace": "batch"},
            {"namespaceSelector": {"matchLabels": {NAMESPACE: "batch"}}},
            ("http", "grpc"),
        ),
        (
            {"namespace": "batch", "podLabels": {"app": "importer"}, "ports": ["http"]},
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE: "batch"}},
                "podSelector": {"matchLabels": {"app": "importer"}},
            },
            ("http",),
        ),
        (
            {"cidr": "192.168.0.0/24"},
            {"ipBlock": {"cidr": "192.168.0.0/24"}},
            ("http", "grpc"),
        ),
    ],
)
def test_ingress_is_allowed_from_a_peer_on_its_ports_but_not_on_that_of_metrics(
    peer: dict[str, Any], source: dict[str, Any], ports: tuple[str, ...]
) -> None:
    *_, rule = ingress(
        ports={"http": 8080, "grpc": 8081, "admin": 9090},
        metrics={"port": "admin"},
        peers={"from": [peer]},
    )
    assert rule == {"from": [source], "ports": tcp(*ports)}


def test_egress_is_allowed_to_dns_only_by_default() -> None:
    assert egress() == []


@pytest.mark.parametrize(
    ("peer", "rules"),
    [
        ({"service": "orders"}, [{"to": [pods("orders")], "ports": tcp(8080, 8081)}]),
        (
            {"service": "orders", "ports": ["grpc"]},
            [{"to": [pods("orders")], "ports": tcp(8081)}],
        ),
        (
            {"namespace": "databases", "podLabels": {"app": "postgres"}, "ports": [5432]},
            [
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {NAMESPACE: "databases"}},
                            "podSelector": {"matchLabels": {"app": "postgres"}},
                        }
                    ],
                    "ports": tcp(5432),
                }
            ],
        ),
        ({"host": "api.example.com", "ports": [443]}, [{"ports": tcp(443)}]),
        (
            {"host": "store.shop.svc", "ports": [80]},
            [{"to": [{"namespaceSelector": {"matchLabels": {NAMESPACE: "shop"}}}]}],
        ),
        (
            {"cidr": "10.20.0.0/16", "ports": [6379, 6380]},
            [{"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": tcp(6379, 6380)}],
        ),
    ],
)
def test_egress_is_allowed_to_a_peer_on_its_ports(peer: Any, rules: list[Any]) -> None:
    assert egress(peers={"to": [peer]}) == rules


def test_egress_is_allowed_to_the_trace_receiver_if_tracing_is_enabled() -> None:
    collector = NetworkPeer("watch", (4318,), {"app": "collector"})
    receiver = TraceReceiver("http://collector.watch.svc:4318", (collector,))
    namespace = {"matchLabels": {NAMESPACE: "watch"}}
    target = {"namespaceSelector": namespace, "podSelector": {"matchLabels": {"app": "collector"}}}
    assert egress(receiver) == [{"to": [target], "ports": tcp(4318)}]
    assert egress(receiver, tracing={"enabled": False}) == []


def test_egress_is_allowed_to_any_address_on_the_port_of_an_external_receiver() -> None:
    receiver = TraceReceiver("https://otlp.example.com", (NetworkPeer(None, (443,)),))
    assert egress(receiver) == [{"ports": tcp(443)}]


def policies(service: Service, found: Settings) -> Registry:
    ports = {name: one.served_ports for name, one in found.services.items()}
    return run(
        lambda: PeerPolicies(
            "beacon-peers", {"service": service, "namespace": "home", "stack_ports": ports}
        )
    )


def test_a_service_accepts_the_connections_of_those_that_have_it_as_peer() -> None:
    found = stack(peers={"to": [{"service": "orders", "ports": ["grpc"]}]})
    policy = policies(found.services["beacon"], found).one("NetworkPolicy", "beacon-to-orders")
    assert policy["spec"] == {
        "podSelector": selector("orders"),
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [pods("beacon")], "ports": tcp(8081)}],
    }


def test_a_service_may_connect_to_those_that_accept_it_as_peer() -> None:
    found = stack(peers={"from": [{"service": "orders"}]})
    policy = policies(found.services["beacon"], found).one("NetworkPolicy", "beacon-from-orders")
    assert policy["spec"] == {
        "podSelector": selector("orders"),
        "policyTypes": ["Egress"],
        "egress": [{"to": [pods("beacon")], "ports": tcp(8080)}],
    }


def test_only_services_of_the_stack_have_a_policy_for_the_other_side() -> None:
    found = stack(
        peers={"to": [{"cidr": "10.0.0.0/8", "ports": [1]}], "from": [{"namespace": "a"}]}
    )
    assert policies(found.services["beacon"], found).of_kind("NetworkPolicy") == []
