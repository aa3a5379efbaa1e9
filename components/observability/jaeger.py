"""Jaeger: trace storage and queries."""

from pathlib import PurePosixPath
from typing import Any

from components.observability.addresses import (
    COLLECTOR,
    GRAFANA,
    JAEGER,
    JAEGER_METRICS,
    JAEGER_OTLP,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.server import HttpProbe, Server, ServerSpec, TcpProbe
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import TracesSettings

_DATA = PurePosixPath("/data")
_HEALTH_PORT = 13133
_BACKEND = "badger"


class Jaeger(Server):
    """Jaeger with OTLP ingestion and Badger storage."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        traces, namespace = args["settings"].traces, args["network"].monitoring_namespace
        return ServerSpec(
            kind="StatefulSet",
            namespace=namespace,
            image=server_image("jaeger"),
            user=10001,
            resources=traces.resources,
            ports={
                "http": JAEGER.port,
                "otlp-grpc": JAEGER_OTLP.port,
                "metrics": JAEGER_METRICS.port,
            },
            readiness=HttpProbe("/status", _HEALTH_PORT),
            liveness=TcpProbe(JAEGER_OTLP.port),
            args=["--config=/etc/jaeger/jaeger.yaml"],
            config_dir=PurePosixPath("/etc/jaeger"),
            config_files={"jaeger.yaml": config_text(traces)},
            data_dir=_DATA,
            storage=traces,
            ingress=[
                PROMETHEUS.peer(namespace, JAEGER_METRICS.port),
                GRAFANA.peer(namespace, JAEGER.port),
                COLLECTOR.peer(namespace, JAEGER_OTLP.port),
            ],
        )


def config_text(traces: TracesSettings) -> str:
    """Jaeger's configuration file."""
    config: dict[str, Any] = {
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"0.0.0.0:{_HEALTH_PORT}"}},
            "jaeger_storage": {
                "backends": {
                    _BACKEND: {
                        "badger": {
                            "ephemeral": False,
                            "directories": {
                                "keys": str(_DATA / "keys"),
                                "values": str(_DATA / "values"),
                            },
                            "ttl": {"spans": f"{traces.retention_days * 24}h"},
                        }
                    }
                }
            },
            "jaeger_query": {
                "storage": {"traces": _BACKEND},
                "http": {"endpoint": f"0.0.0.0:{JAEGER.port}"},
                "grpc": {"endpoint": "127.0.0.1:16685"},
            },
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"0.0.0.0:{JAEGER_OTLP.port}"}}}},
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": _BACKEND}},
        "service": {
            "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["batch"],
                    "exporters": ["jaeger_storage_exporter"],
                }
            },
            "telemetry": {
                "logs": {"level": "warn"},
                "metrics": {
                    "readers": [
                        {
                            "pull": {
                                "exporter": {
                                    "prometheus": {
                                        "host": "0.0.0.0",  # noqa: S104
                                        "port": JAEGER_METRICS.port,
                                    }
                                }
                            }
                        }
                    ]
                },
            },
        },
    }
    return to_yaml(config)
