"""Loki: log storage and queries, as a single process."""

from pathlib import PurePosixPath
from typing import Any

from components.observability.addresses import (
    AGENT_METRICS,
    GRAFANA,
    LOG_CONSUMER_METRICS,
    LOKI,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.server import HttpProbe, Server, ServerSpec
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import LogsSettings, parse_quantity

_DATA = PurePosixPath("/loki")
_GRPC_PORT = 9095
_MAX_MESSAGE_BYTES = 100 * 2**20
"""Maximum size of a gRPC message between Loki's components; the default of its clients."""
_SCHEMA_FROM = "2024-01-01"
"""Earlier than any log line. A new schema needs an additional period."""
_QUERY_TIMEOUT_SECONDS = 60
"""Loki's default."""
_STREAM_LABELS = (
    "service.name",
    "k8s.namespace.name",
    "k8s.container.name",
    # Loki rejects lines that are over an hour older than the newest of their stream. With a stream
    # per pod, delayed lines of one pod are accepted in spite of newer lines of other pods.
    "k8s.pod.name",
)
"""Resource attributes that become stream labels. The others become structured metadata."""


class Loki(Server):
    """Loki with OTLP ingestion.

    Loki acknowledges a line when it is in the write-ahead log: a restart loses no line.
    """

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        settings, namespace = args["settings"], args["network"].monitoring_namespace
        logs = settings.logs
        return ServerSpec(
            kind="StatefulSet",
            namespace=namespace,
            image=server_image("loki"),
            user=10001,
            resources=logs.resources,
            ports={"http": LOKI.port},
            readiness=HttpProbe("/ready", LOKI.port),
            liveness=HttpProbe("/loki/api/v1/status/buildinfo", LOKI.port),
            args=["-config.file=/etc/loki/loki.yaml"],
            config_dir=PurePosixPath("/etc/loki"),
            config_files={"loki.yaml": config_text(logs)},
            data_dir=_DATA,
            storage=logs,
            ingress=[
                PROMETHEUS.peer(namespace, LOKI.port),
                GRAFANA.peer(namespace, LOKI.port),
                AGENT_METRICS.peer(settings.node_namespace, LOKI.port),
                LOG_CONSUMER_METRICS.peer(namespace, LOKI.port),
            ],
        )


def config_text(logs: LogsSettings) -> str:
    """Loki's configuration file."""
    retention = f"{logs.retention_days * 24}h"
    memory = int(parse_quantity(logs.resources.limits.memory))
    config: dict[str, Any] = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_port": LOKI.port,
            # Longer than the query timeout; the default is 30 s.
            "http_server_write_timeout": f"{_QUERY_TIMEOUT_SECONDS + 30}s",
            # Only for Loki's components in the same process.
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": _GRPC_PORT,
            # gRPC's default of 4 MiB is too small for 5,000 lines of different streams.
            "grpc_server_max_recv_msg_size": _MAX_MESSAGE_BYTES,
            "grpc_server_max_send_msg_size": _MAX_MESSAGE_BYTES,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(_DATA),
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {
                "filesystem": {
                    "chunks_directory": str(_DATA / "chunks"),
                    "rules_directory": str(_DATA / "rules"),
                }
            },
        },
        "schema_config": {
            "configs": [
                {
                    "from": _SCHEMA_FROM,
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "ingester": {
            # There is no other ingester to hand over to or to wait for.
            "lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"},
            "wal": {
                "enabled": True,
                "dir": str(_DATA / "wal"),
                "replay_memory_ceiling": f"{memory // 2}B",
            },
        },
        "compactor": {
            "working_directory": str(_DATA / "compactor"),
            "retention_enabled": True,
            "retention_delete_delay": "15m",
            "delete_request_store": "filesystem",
        },
        "limits_config": {
            "query_timeout": f"{_QUERY_TIMEOUT_SECONDS}s",
            "retention_period": retention,
            "reject_old_samples": True,
            "reject_old_samples_max_age": retention,
            # High, because an agent sends its whole queue at once after an outage.
            "ingestion_rate_mb": 32,
            "ingestion_burst_size_mb": 64,
            "per_stream_rate_limit": "16MB",
            "per_stream_rate_limit_burst": "32MB",
            "max_line_size": "256KB",
            "max_line_size_truncate": True,
            "volume_enabled": True,
            "otlp_config": {
                "resource_attributes": {
                    "ignore_defaults": True,
                    "attributes_config": [
                        {"action": "index_label", "attributes": list(_STREAM_LABELS)}
                    ],
                }
            },
        },
        # Static addresses: joining a ring would delay readiness by 10 s.
        "query_scheduler": {"use_scheduler_ring": False},
        "frontend": {"scheduler_address": f"127.0.0.1:{_GRPC_PORT}"},
        "frontend_worker": {"scheduler_address": f"127.0.0.1:{_GRPC_PORT}"},
        "query_range": {
            "results_cache": {"cache": {"embedded_cache": {"enabled": True, "max_size_mb": 32}}}
        },
    }
    return to_yaml(config)
