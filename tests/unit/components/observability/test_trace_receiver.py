from typing import Any

from components.network_peer import NetworkPeer
from components.observability.trace_receiver import TraceReceiver
from tests.unit.stacks import settings


def receiver(**observability: Any) -> TraceReceiver | None:
    stack = settings(observability=observability)
    return TraceReceiver.of(stack.observability, stack.network, stack.namespace.name)


def test_bundled_uses_the_stacks_collector() -> None:
    assert receiver(mode="bundled") == TraceReceiver(
        "http://collector.monitoring.svc:4318",
        (NetworkPeer("monitoring", (4318,), {"app.kubernetes.io/name": "collector"}),),
    )


def test_without_an_endpoint_there_is_no_receiver() -> None:
    assert receiver(mode="off") is None
    assert receiver(mode="operator") is None


def test_the_peers_of_an_endpoint_follow_from_its_url() -> None:
    for url, peer in {
        "http://collector.tracing.svc:4318/": NetworkPeer("tracing"),
        "http://collector": NetworkPeer("beacon-test"),
        "https://otlp.example.com": NetworkPeer(None, (443,)),
    }.items():
        found = receiver(mode="operator", operator={"otlpEndpoint": url})
        assert found
        assert found.peers == (peer,)
        assert not found.url.endswith("/")
