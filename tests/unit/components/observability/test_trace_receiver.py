"""Where spans go in each mode."""

from typing import Any

import pytest

from components.observability.trace_receiver import TraceReceiver
from components.peer import Peer
from tests.unit.stacks import settings


def receiver(**observability: Any) -> TraceReceiver | None:
    return TraceReceiver.of(settings(observability=observability))


def test_bundled_they_go_to_the_stacks_collector() -> None:
    assert receiver(mode="bundled") == TraceReceiver(
        "http://collector.monitoring.svc:4318",
        Peer("monitoring", (4318,), {"app.kubernetes.io/name": "collector"}),
    )


def test_off_nothing_is_traced() -> None:
    assert receiver(mode="off") is None
    assert receiver(mode="operator") is None


@pytest.mark.parametrize(
    ("url", "namespace", "port"),
    [
        ("http://collector.tracing:4318", "tracing", 4318),
        ("http://collector.tracing.svc:4318/", "tracing", 4318),
        ("http://collector.tracing.svc.cluster.local:4318", "tracing", 4318),
        ("https://otlp.example.com", None, 443),
        ("http://collector", None, 80),
    ],
)
def test_an_operators_collector_is_where_its_name_says(
    url: str, namespace: str | None, port: int
) -> None:
    found = receiver(mode="operator", operator={"collector": url})
    assert found
    assert found.peer == Peer(namespace, (port,))
    assert not found.url.endswith("/")
