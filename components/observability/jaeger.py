"""Jaeger: the traces."""

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
from components.observability.server import Description, Http, Server, ServerArgs, Tcp
from components.observability.text import as_yaml
from components.versions import IMAGES
from settings import TracesSettings

_DATA = PurePosixPath("/data")
_HEALTH = 13133
_STORE = "badger"


class JaegerArgs(ServerArgs):
    """Arguments of :class:`Jaeger`."""

    traces: TracesSettings


class Jaeger(Server[JaegerArgs]):
    """Receives spans over OTLP, keeps them in Badger, answers queries."""

    def describe(self, args: JaegerArgs) -> Description:
        traces, namespace = args["traces"], args["monitoring_namespace"]
        return Description(
            kind="StatefulSet",
            namespace=namespace,
            image=IMAGES["jaeger"],
            user=10001,
            resources=traces.resources,
            ports={
                "http": JAEGER.port,
                "otlp-grpc": JAEGER_OTLP.port,
                "metrics": JAEGER_METRICS.port,
            },
            ready=Http("/status", _HEALTH),
            alive=Tcp(JAEGER_OTLP.port),
            args=["--config=/etc/jaeger/jaeger.yaml"],
            folder=PurePosixPath("/etc/jaeger"),
            files={"jaeger.yaml": config_text(traces)},
            data=_DATA,
            store=traces,
            reached_by=[
                PROMETHEUS.peer(namespace, JAEGER_METRICS.port),
                GRAFANA.peer(namespace, JAEGER.port),
                COLLECTOR.peer(namespace, JAEGER_OTLP.port),
            ],
        )


def config_text(traces: TracesSettings) -> str:
    """The configuration file."""
    config: dict[str, Any] = {
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"0.0.0.0:{_HEALTH}"}},
            "jaeger_storage": {
                "backends": {
                    _STORE: {
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
                "storage": {"traces": _STORE},
                "http": {"endpoint": f"0.0.0.0:{JAEGER.port}"},
                "grpc": {"endpoint": "127.0.0.1:16685"},
            },
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"0.0.0.0:{JAEGER_OTLP.port}"}}}},
        "processors": {"batch": {}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": _STORE}},
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
    return as_yaml(config)
