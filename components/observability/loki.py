"""Loki: the logs, in one process."""

from pathlib import PurePosixPath
from typing import Any

from components.observability.addresses import AGENT_METRICS, GRAFANA, LOKI, PROMETHEUS
from components.observability.server import Description, Http, Server, ServerArgs
from components.observability.text import as_yaml
from components.versions import IMAGES
from settings import LogsSettings, parse_quantity

_DATA = PurePosixPath("/loki")
_INSIDE = 9095
_MESSAGE_BYTES = 100 * 2**20
"""What its parts send each other at the most; the same as Loki's default where they are clients."""
_SCHEMA_FROM = "2024-01-01"
"""Before every log. A later schema gets a period of its own beside this one."""
_QUERY_SECONDS = 60
"""What a query may take; Loki's own default."""
_STREAM_LABELS = (
    "service.name",
    "k8s.namespace.name",
    "k8s.container.name",
    # A stream takes lines of one hour only: what was held back must not wait behind other pods.
    "k8s.pod.name",
)
"""What lines are found by quickly. Everything else that is known of a line is beside it."""


class LokiArgs(ServerArgs):
    """Arguments of :class:`Loki`."""

    logs: LogsSettings


class Loki(Server[LokiArgs]):
    """Receives lines over OTLP and keeps them as long as the settings say.

    A line is answered for once it is in the write-ahead log: a restart loses none.
    """

    def describe(self, args: LokiArgs) -> Description:
        logs, namespace = args["logs"], args["monitoring_namespace"]
        return Description(
            kind="StatefulSet",
            namespace=namespace,
            image=IMAGES["loki"],
            user=10001,
            resources=logs.resources,
            ports={"http": LOKI.port},
            ready=Http("/ready", LOKI.port),
            alive=Http("/loki/api/v1/status/buildinfo", LOKI.port),
            args=["-config.file=/etc/loki/loki.yaml"],
            folder=PurePosixPath("/etc/loki"),
            files={"loki.yaml": config_text(logs)},
            data=_DATA,
            store=logs,
            reached_by=[
                PROMETHEUS.peer(namespace, LOKI.port),
                GRAFANA.peer(namespace, LOKI.port),
                AGENT_METRICS.peer(args["node_namespace"], LOKI.port),
            ],
        )


def config_text(logs: LogsSettings) -> str:
    """The configuration file."""
    retention = f"{logs.retention_days * 24}h"
    memory = int(parse_quantity(logs.resources.limits.memory))
    config: dict[str, Any] = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_port": LOKI.port,
            # Its default of 30 s would cut off what a query is still allowed to look for.
            "http_server_write_timeout": f"{_QUERY_SECONDS + 30}s",
            # Its parts talk to each other, and to nobody else.
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": _INSIDE,
            # gRPC's own bound of 4 MiB is less than 5,000 lines, each with labels of its own, take.
            "grpc_server_max_recv_msg_size": _MESSAGE_BYTES,
            "grpc_server_max_send_msg_size": _MESSAGE_BYTES,
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
            # There is no other one to hand over to, or to wait for.
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
            "query_timeout": f"{_QUERY_SECONDS}s",
            "retention_period": retention,
            "reject_old_samples": True,
            "reject_old_samples_max_age": retention,
            # Generous: after an outage an agent brings everything at once, and is asked to wait
            # only where memory is in danger.
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
        # Named, not looked for in a ring: else it would be ready 10 s later.
        "query_scheduler": {"use_scheduler_ring": False},
        "frontend": {"scheduler_address": f"127.0.0.1:{_INSIDE}"},
        "frontend_worker": {"scheduler_address": f"127.0.0.1:{_INSIDE}"},
        "query_range": {
            "results_cache": {"cache": {"embedded_cache": {"enabled": True, "max_size_mb": 32}}}
        },
    }
    return as_yaml(config)
