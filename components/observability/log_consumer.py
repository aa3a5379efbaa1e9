"""OpenTelemetry Collector that reads log lines from Kafka and sends them to Loki."""

from components.network_peer import NetworkPeer
from components.observability.addresses import LOG_CONSUMER_METRICS, PROMETHEUS
from components.observability.args import ObservabilityArgs
from components.observability.collector import (
    CONFIG_DIR,
    CONFIG_FILE,
    HEALTH,
    MEMORY_LIMITER,
    Config,
    telemetry,
)
from components.observability.log_sinks import (
    KAFKA_ENCODING,
    UNLIMITED,
    authenticator,
    kafka_client,
    kafka_ports,
    peers,
    retries,
    secrets,
    sink_of,
    stores,
)
from components.observability.server import Server, ServerSpec, TcpProbe
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import KafkaSink, LogsSettings, ResourceList, ResourceRequirements

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="96Mi"), limits=ResourceList(cpu="500m", memory="384Mi")
)


class LogConsumer(Server):
    """Sends the log lines of the stack's Kafka topic to Loki and Elasticsearch.

    It has no queue: it commits the offset of a message after the server has stored its lines, so
    Kafka keeps those of an outage. After a restart, it reads the messages of the last second again.
    """

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        logs = args["settings"].logs
        assert logs.kafka is not None  # noqa: S101  # checked by the settings
        namespace = args["network"].monitoring_namespace
        exporters = stores(logs, namespace)
        return ServerSpec(
            kind="Deployment",
            namespace=namespace,
            image=server_image("collectorContrib"),
            user=10001,
            resources=_RESOURCES,
            ports={"metrics": LOG_CONSUMER_METRICS.port},
            readiness=HEALTH,
            liveness=TcpProbe(LOG_CONSUMER_METRICS.port),
            args=[f"--config={CONFIG_DIR / CONFIG_FILE}"],
            config_dir=CONFIG_DIR,
            config_files={CONFIG_FILE: to_yaml(consumer_config(logs, logs.kafka, namespace))},
            secrets=secrets(exporters, logs),
            ingress=[PROMETHEUS.peer(namespace, LOG_CONSUMER_METRICS.port)],
            egress=[
                NetworkPeer(None, tuple(sorted(kafka_ports(logs.kafka)))),
                *peers(exporters, logs, namespace),
            ],
        )


def consumer_config(logs: LogsSettings, kafka: KafkaSink, monitoring_namespace: str) -> Config:
    """Configuration of the consumer.

    Each exporter has a consumer group of its own, so that one that is down blocks no other.
    """
    exporters = stores(logs, monitoring_namespace)
    names = {sink_of(exporter): exporter for exporter in exporters}
    extensions = authenticator(exporters, logs)
    return {
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{HEALTH.port}"}, **extensions},
        "receivers": {
            f"kafka/{name}": {
                **kafka_client(kafka),
                "group_id": f"{monitoring_namespace}-{name}",
                "initial_offset": "earliest",
                "logs": {"topic": kafka.topic, "encoding": KAFKA_ENCODING},
                # By default, the offset is committed before the lines are sent. A message that is
                # refused for good would otherwise be read again for ever.
                "message_marking": {"after": True, "on_error": True},
                "error_backoff": {
                    "enabled": True,
                    "max_interval": "5s",
                    "max_elapsed_time": UNLIMITED,
                },
            }
            for name in names
        },
        "processors": {"memory_limiter": MEMORY_LIMITER},
        "exporters": {
            exporter: {**config, **retries(exporter), "sending_queue": {"enabled": False}}
            for exporter, config in exporters.items()
        },
        "service": {
            "extensions": ["health_check", *extensions],
            "pipelines": {
                f"logs/{name}": {
                    "receivers": [f"kafka/{name}"],
                    "processors": ["memory_limiter"],
                    "exporters": [exporter],
                }
                for name, exporter in names.items()
            },
            "telemetry": telemetry(LOG_CONSUMER_METRICS.port),
        },
    }
