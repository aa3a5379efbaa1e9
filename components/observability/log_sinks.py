"""Exporters that send log lines to Loki, Kafka and Elasticsearch."""

from collections.abc import Mapping

from components.network_peer import NetworkPeer, port_of
from components.observability.addresses import LOKI
from components.observability.collector import Config
from components.observability.server import SECRETS
from settings import ElasticsearchSink, KafkaSink, LogsSettings

KAFKA_ENCODING = "otlp_json"
"""Encoding of a Kafka message: a batch of lines of one container with their attributes."""

LOKI_EXPORTER = "otlphttp/loki"
_API_KEY = "bearertokenauth/elasticsearch"
_API_KEY_FILE = "elasticsearch"
UNLIMITED = "0s"
"""Maximum time of retries."""
_MAX_MESSAGE_BYTES = 64 * 2**20
"""Limit of the exporter, which drops a larger message: above 100 lines of the usual sizes. Kafka's
own limit is smaller; a message that it refuses is sent again until its limit is raised."""


def stores(logs: LogsSettings, monitoring_namespace: str) -> dict[str, Config]:
    """Exporters to the servers that store lines."""
    exporters = {LOKI_EXPORTER: _loki(monitoring_namespace)}
    if logs.elasticsearch:
        exporters["elasticsearch"] = _elasticsearch(logs.elasticsearch)
    return exporters


def agent_exporters(logs: LogsSettings, monitoring_namespace: str) -> dict[str, Config]:
    """Exporters of the agents."""
    kafka = {"kafka": _kafka(logs.kafka)} if logs.kafka else {}
    if logs.transport == "kafka":
        return kafka
    return {**stores(logs, monitoring_namespace), **kafka}


def sink_of(exporter: str) -> str:
    """Name of the server that an exporter sends to: ``loki`` for ``otlphttp/loki``."""
    return exporter.rpartition("/")[2]


def authenticator(exporters: Mapping[str, Config], logs: LogsSettings) -> dict[str, Config]:
    """Extension that sends the API key and reloads its file, so that a key can be rotated."""
    if not _has_api_key(exporters, logs):
        return {}
    return {_API_KEY: {"scheme": "ApiKey", "filename": str(SECRETS / _API_KEY_FILE)}}


def secrets(exporters: Mapping[str, Config], logs: LogsSettings) -> dict[str, str]:
    """Contents of the secret files, by name."""
    elasticsearch = logs.elasticsearch
    if not (_has_api_key(exporters, logs) and elasticsearch and elasticsearch.api_key):
        return {}
    return {_API_KEY_FILE: elasticsearch.api_key.get_secret_value()}


def peers(exporters: Mapping[str, Config], logs: LogsSettings, namespace: str) -> list[NetworkPeer]:
    """Loki, and any address on the ports of the others, which can be outside the cluster."""
    ports: set[int] = set()
    if logs.kafka and "kafka" in exporters:
        ports |= kafka_ports(logs.kafka)
    if logs.elasticsearch and "elasticsearch" in exporters:
        ports.add(port_of(logs.elasticsearch.url))
    loki = [LOKI.peer(namespace)] if LOKI_EXPORTER in exporters else []
    return [*loki, *([NetworkPeer(None, tuple(sorted(ports)))] if ports else [])]


def kafka_ports(kafka: KafkaSink) -> set[int]:
    """Ports of the brokers."""
    return {int(broker.rpartition(":")[2]) for broker in kafka.brokers}


def kafka_client(kafka: KafkaSink) -> Config:
    """Options of every client. It starts while no broker is reachable, and connects later."""
    return {"brokers": list(kafka.brokers), "metadata": {"full": False}}


def retries(exporter: str) -> Config:
    """Retries without limit."""
    backoff = {"enabled": True, "initial_interval": "500ms", "max_interval": "5s"}
    if exporter == "elasticsearch":
        # 401 and 403: an API key that has expired loses no lines.
        statuses = [401, 403, 429, 500, 502, 503, 504]
        return {"retry": {**backoff, "max_retries": 1_000_000_000, "retry_on_status": statuses}}
    return {"retry_on_failure": {**backoff, "max_elapsed_time": UNLIMITED}}


def _has_api_key(exporters: Mapping[str, Config], logs: LogsSettings) -> bool:
    elasticsearch = logs.elasticsearch
    return "elasticsearch" in exporters and bool(elasticsearch and elasticsearch.api_key)


def _loki(monitoring_namespace: str) -> Config:
    return {"endpoint": f"{LOKI.url(monitoring_namespace)}/otlp"}


def _kafka(kafka: KafkaSink) -> Config:
    return {
        **kafka_client(kafka),
        "logs": {"topic": kafka.topic, "encoding": KAFKA_ENCODING},
        # Lines of a container are in one partition, so in their order.
        "partition_logs_by_resource_attributes": True,
        "producer": {
            # Wait until all in-sync replicas have the line.
            "required_acks": -1,
            "compression": "zstd",
            "max_message_bytes": _MAX_MESSAGE_BYTES,
        },
    }


def _elasticsearch(elasticsearch: ElasticsearchSink) -> Config:
    return {
        "endpoints": [elasticsearch.url],
        "logs_index": elasticsearch.index,
        # By default, the exporter has a buffer in memory and reports lines as sent that are in it.
        "batcher": {"enabled": False},
        # By default, it drops lines after 90 seconds of an outage.
        "timeout": UNLIMITED,
        **({"auth": {"authenticator": _API_KEY}} if elasticsearch.api_key else {}),
    }
