from typing import Any

import pytest

from components.observability.log_consumer import LogConsumer, consumer_config
from components.observability.observability import Observability
from settings import SettingsError
from tests.unit.components.observability.servers import args_of, bundled, deploy
from tests.unit.harness import run

LOGS = {
    "transport": "kafka",
    "kafka": {"brokers": ["kafka.queue:9092"], "topic": "lines"},
    "elasticsearch": {"url": "https://search.example.com", "apiKey": "hidden"},
}


def config(**changes: Any) -> dict[str, Any]:
    logs = bundled(observability={"logs": {**LOGS, **changes}}).observability.logs
    assert logs.kafka
    return consumer_config(logs, logs.kafka, "monitoring")


def test_offsets_are_committed_after_the_lines_are_stored() -> None:
    for receiver in config()["receivers"].values():
        assert receiver["message_marking"] == {"after": True, "on_error": True}
        assert receiver["error_backoff"]["max_elapsed_time"] == "0s"
        assert receiver["initial_offset"] == "earliest"
    for exporter in config()["exporters"].values():
        assert exporter["sending_queue"] == {"enabled": False}, "Kafka is the queue"


def test_each_server_has_a_consumer_group_so_that_one_that_is_down_blocks_no_other() -> None:
    receivers = config()["receivers"]
    assert {one["group_id"] for one in receivers.values()} == {
        "monitoring-loki",
        "monitoring-elasticsearch",
    }
    pipelines = config()["service"]["pipelines"]
    assert pipelines["logs/loki"]["receivers"] == ["kafka/loki"]
    assert pipelines["logs/loki"]["exporters"] == ["otlphttp/loki"]


def test_the_consumer_reaches_kafka_loki_and_elasticsearch_only() -> None:
    registry = deploy(LogConsumer, logs=LOGS)
    egress = registry.one("NetworkPolicy")["spec"]["egress"]
    ports = {port["port"] for rule in egress for port in rule["ports"]}
    assert ports == {53, 443, 3100, 9092}
    assert registry.secret() == {"elasticsearch": "hidden"}


@pytest.mark.parametrize("transport", ["direct", "kafka"])
def test_only_a_stack_with_kafka_as_transport_has_a_consumer(transport: str) -> None:
    args = args_of(bundled(observability={"logs": {**LOGS, "transport": transport}}))
    registry = run(lambda: Observability("observability", args))
    assert ("log-consumer" in registry.named("Deployment")) is (transport == "kafka")


def test_kafka_as_transport_needs_brokers() -> None:
    with pytest.raises(SettingsError, match=r"logs.kafka is missing: use the brokers, because"):
        bundled(observability={"logs": {"transport": "kafka"}})
