from typing import Any

from components.observability.loki import Loki
from tests.unit.components.observability.servers import config_file, deploy


def loki_config(**logs: Any) -> dict[str, Any]:
    return config_file(deploy(Loki, logs=logs), "loki.yaml")


def test_lines_are_deleted_after_the_retention() -> None:
    configured = loki_config(retentionDays=3)
    assert configured["limits_config"]["retention_period"] == "72h"
    assert configured["limits_config"]["reject_old_samples_max_age"] == "72h"
    assert configured["compactor"]["retention_enabled"] is True
    assert configured["compactor"]["delete_request_store"] == "filesystem"


def test_replaying_the_write_ahead_log_uses_at_most_half_of_the_memory() -> None:
    configured = loki_config(
        resources={
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        }
    )
    wal = configured["ingester"]["wal"]
    assert wal["enabled"] is True
    assert wal["dir"].startswith("/loki/")
    assert wal["replay_memory_ceiling"] == f"{128 * 2**20}B"


def test_streams_have_few_labels() -> None:
    (indexed,) = loki_config()["limits_config"]["otlp_config"]["resource_attributes"][
        "attributes_config"
    ]
    assert indexed["action"] == "index_label"
    assert {"service.name", "k8s.namespace.name"} <= set(indexed["attributes"])
    assert len(indexed["attributes"]) <= 4


def test_the_agents_in_the_node_namespace_may_send_lines() -> None:
    policy = deploy(Loki).one("NetworkPolicy")["spec"]
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
