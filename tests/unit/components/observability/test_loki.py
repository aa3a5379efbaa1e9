"""How long logs are kept, and how much may come at once."""

from typing import Any

from components.observability.loki import Loki
from tests.unit.components.observability.made import config, made


def of(**logs: Any) -> dict[str, Any]:
    return config(made(Loki, logs=logs), "loki.yaml")


def test_lines_are_deleted_when_their_days_are_over() -> None:
    configured = of(retentionDays=3)
    assert configured["limits_config"]["retention_period"] == "72h"
    assert configured["limits_config"]["reject_old_samples_max_age"] == "72h"
    assert configured["compactor"]["retention_enabled"] is True
    assert configured["compactor"]["delete_request_store"] == "filesystem"


def test_the_schema_is_one_that_takes_otlp() -> None:
    (schema,) = of()["schema_config"]["configs"]
    assert (schema["store"], schema["schema"]) == ("tsdb", "v13")


def test_a_restart_reads_the_log_of_writes_again_within_half_the_memory() -> None:
    configured = of(
        resources={
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        }
    )
    wal = configured["ingester"]["wal"]
    assert wal["enabled"] is True
    assert wal["dir"].startswith("/loki/")
    assert wal["replay_memory_ceiling"] == f"{128 * 2**20}B"


def test_lines_are_indexed_by_few_labels() -> None:
    (indexed,) = of()["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"]
    assert indexed["action"] == "index_label"
    assert {"service.name", "k8s.namespace.name"} <= set(indexed["attributes"])
    assert len(indexed["attributes"]) <= 4


def test_nothing_is_reported_to_its_makers() -> None:
    assert of()["analytics"] == {"reporting_enabled": False}


def test_lines_come_from_the_agent_in_its_own_namespace() -> None:
    policy = made(Loki).one("NetworkPolicy")["spec"]
    sources = {
        (
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"],
        )
        for rule in policy["ingress"]
        for peer in rule["from"]
    }
    assert ("monitoring-node", "collector-agent") in sources
    assert policy["egress"] == []
