"""OpenTelemetry Collectors: a gateway for traces and an agent on each node for logs."""

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.network_peer import NetworkPeer, port_of
from components.observability.addresses import (
    AGENT_METRICS,
    COLLECTOR,
    COLLECTOR_GRPC,
    COLLECTOR_METRICS,
    JAEGER_OTLP,
    LOKI,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.log_levels import LEVEL_OF_SPELLING
from components.observability.monitored_service import MonitoredService
from components.observability.server import (
    SECRETS,
    HostPath,
    HttpProbe,
    Server,
    ServerSpec,
    TcpProbe,
)
from components.observability.to_yaml import to_yaml
from components.versions import IMAGES
from settings import LogKeys, LogsSettings, ResourceList, ResourceRequirements

_GATEWAY_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="64Mi"), limits=ResourceList(cpu="500m", memory="256Mi")
)
_AGENT_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="96Mi"), limits=ResourceList(cpu="500m", memory="384Mi")
)
_CONFIG_DIR = PurePosixPath("/etc/otelcol")
_CONFIG_FILE = "collector.yaml"
_HEALTH = HttpProbe("/", 13133)
_LOG_DIR = "/var/log/pods"
_LOG_FILES = "*.log{,.????????-??????}"
"""The current log file and the one rotated last, so that the agent also reads that to its end.
Older files, which the kubelet compresses, have longer names."""
_STATE_DIR = "/var/lib/otelcol"
_UNLIMITED = "0s"
_API_KEY = "bearertokenauth/elasticsearch"

_CONTINUATION = "|".join(
    (
        r"\s*$",
        r"\s+",
        r"goroutine \d+ ",
        r"\[signal ",
        r"created by ",
        r"exit status \d",
        r"Caused by: ",
        # A frame of a Go stack trace: main.(*server).serve(0xc000012345)
        r"[\w./%~@*()\[\]{},-]+\.[\w.*()\[\]{},-]+\(.*\)$",
        r"(runtime\.)?(panic|goexit)\(.*\)$",
    )
)
"""Patterns at the start of lines that continue the previous line."""

Config = dict[str, Any]


class CollectorGateway(Server):
    """Sends the services' spans to Jaeger with the metadata of their pods."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        namespace = args["network"].monitoring_namespace
        return ServerSpec(
            kind="Deployment",
            namespace=namespace,
            image=IMAGES["collector"],
            user=10001,
            resources=_GATEWAY_RESOURCES,
            ports={
                "otlp-http": COLLECTOR.port,
                "otlp-grpc": COLLECTOR_GRPC.port,
                "metrics": COLLECTOR_METRICS.port,
            },
            readiness=_HEALTH,
            liveness=TcpProbe(COLLECTOR.port),
            args=[f"--config={_CONFIG_DIR / _CONFIG_FILE}"],
            config_dir=_CONFIG_DIR,
            config_files={_CONFIG_FILE: to_yaml(gateway_config(namespace))},
            rbac_rules=[
                {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
            ],
            ingress=[
                NetworkPeer(args["namespace"], (COLLECTOR.port,)),
                PROMETHEUS.peer(namespace, COLLECTOR_METRICS.port),
            ],
            egress=[JAEGER_OTLP.peer(namespace)],
        )


class CollectorAgent(Server):
    """Sends the log lines of the stack's pods on its node to Loki.

    While Loki is down, lines are in a persistent queue on the node's disk; when the queue is full,
    the agent stops reading. Read offsets are on the node's disk, too. A SIGKILL loses at most the
    lines read in the last 100 ms (up to 100 per file) and an incomplete multi-line entry. Lines in
    a file that the kubelet rotated twice before it was read are lost, because it is compressed.
    """

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        logs, network = args["settings"].logs, args["network"]
        namespace = args["settings"].node_namespace
        has_sinks = bool(logs.kafka or logs.elasticsearch)
        key = logs.elasticsearch and logs.elasticsearch.api_key
        return ServerSpec(
            kind="DaemonSet",
            namespace=namespace,
            image=IMAGES["collectorContrib" if has_sinks else "collector"],
            # Only root can read the log files. The container has no capabilities.
            user=0,
            resources=_AGENT_RESOURCES,
            ports={"metrics": AGENT_METRICS.port},
            readiness=_HEALTH,
            liveness=TcpProbe(AGENT_METRICS.port),
            args=[f"--config={_CONFIG_DIR / _CONFIG_FILE}"],
            config_dir=_CONFIG_DIR,
            config_files={_CONFIG_FILE: to_yaml(agent_config(args))},
            secrets={"elasticsearch": key.get_secret_value()} if key else {},
            host_paths=[
                HostPath(_LOG_DIR, _LOG_DIR),
                # By namespace: several stacks can have an agent on the same node.
                HostPath(f"{_STATE_DIR}/{namespace}", _STATE_DIR, writable=True),
            ],
            rbac_rules=[
                {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
            ],
            ingress=[PROMETHEUS.peer(network.monitoring_namespace, AGENT_METRICS.port)],
            egress=[
                LOKI.peer(network.monitoring_namespace),
                *_sink_peers(logs),
            ],
        )


def gateway_config(namespace: str) -> Config:
    """Configuration of the gateway."""
    return {
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{_HEALTH.port}"}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"0.0.0.0:{COLLECTOR_GRPC.port}"},
                    "http": {"endpoint": f"0.0.0.0:{COLLECTOR.port}"},
                }
            }
        },
        "processors": {
            "memory_limiter": _MEMORY_LIMITER,
            "k8sattributes": {
                "extract": {
                    "metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.node.name"],
                    "labels": [{"tag_name": "track", "key": "track", "from": "pod"}],
                },
                "pod_association": [{"sources": [{"from": "connection"}]}],
            },
            "batch": {"timeout": "1s", "send_batch_size": 1024},
        },
        "exporters": {
            "otlp": {
                "endpoint": JAEGER_OTLP.host(namespace),
                # Traffic inside the cluster, restricted by a NetworkPolicy.
                "tls": {"insecure": True},
                "retry_on_failure": {"enabled": True, "max_elapsed_time": "10m"},
                "sending_queue": {"enabled": True, "queue_size": 1000},
            }
        },
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "k8sattributes", "batch"],
                    "exporters": ["otlp"],
                }
            },
            "telemetry": _telemetry(COLLECTOR_METRICS.port),
        },
    }


def agent_config(args: ObservabilityArgs) -> Config:
    """Configuration of the agent.

    Each exporter has its own pipeline and receiver, so that one that is down blocks no other.
    """
    logs, network = args["settings"].logs, args["network"]
    exporters = _log_exporters(logs, network.monitoring_namespace)
    sinks = {exporter.rpartition("/")[2]: exporter for exporter in exporters}
    receiver = _pod_logs(args)
    extensions = _authenticator(logs)
    return {
        "extensions": {
            "health_check": {"endpoint": f"0.0.0.0:{_HEALTH.port}"},
            "file_storage": {
                "directory": _STATE_DIR,
                "fsync": True,
                "compaction": {
                    "on_start": True,
                    "directory": _STATE_DIR,
                    "cleanup_on_start": True,
                },
            },
            **extensions,
        },
        "receivers": {f"filelog/{sink}": receiver for sink in sinks},
        "processors": {
            "memory_limiter": _MEMORY_LIMITER,
            "k8sattributes": {
                "filter": {"node_from_env_var": "NODE_NAME"},
                "wait_for_metadata": True,
                # If the API server does not answer for this long, the collector hangs and has to be
                # restarted by its startup probe.
                "wait_for_metadata_timeout": "10m",
                "extract": {
                    "metadata": ["k8s.node.name"],
                    "labels": [
                        {"tag_name": tag, "key": key, "from": "pod"}
                        for tag, key in (
                            ("service.name", "app.kubernetes.io/name"),
                            ("version", "app.kubernetes.io/version"),
                            ("track", "track"),
                        )
                    ],
                },
                "pod_association": [
                    {"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]}
                ],
            },
            # For pods without the label app.kubernetes.io/name.
            "resource": {
                "attributes": [
                    {
                        "key": "service.name",
                        "from_attribute": "k8s.container.name",
                        "action": "insert",
                    }
                ]
            },
        },
        "exporters": exporters,
        "service": {
            "extensions": ["health_check", "file_storage", *extensions],
            "pipelines": {
                f"logs/{sink}": {
                    "receivers": [f"filelog/{sink}"],
                    "processors": ["memory_limiter", "k8sattributes", "resource"],
                    "exporters": [exporter],
                }
                for sink, exporter in sinks.items()
            },
            "telemetry": _telemetry(AGENT_METRICS.port),
        },
    }


_MEMORY_LIMITER: Config = {
    "check_interval": "1s",
    "limit_percentage": 75,
    "spike_limit_percentage": 20,
}


def _pod_logs(args: ObservabilityArgs) -> Config:
    network, node_namespace = args["network"], args["settings"].node_namespace
    monitoring = network.monitoring_namespace
    namespaces = {
        *(args["namespace"], monitoring, network.proxy_namespace, "kube-system", node_namespace)
    }
    return {
        "include": [f"{_LOG_DIR}/{name}_*/*/{_LOG_FILES}" for name in sorted(namespaces)],
        # Without this, the agent and Loki would log lines about their own lines, endlessly.
        "exclude": [
            f"{_LOG_DIR}/{node_namespace}_{AGENT_METRICS.server}-*/*/{_LOG_FILES}",
            f"{_LOG_DIR}/{monitoring}_{LOKI.server}-*/*/{_LOG_FILES}",
        ],
        "start_at": "beginning",
        "include_file_path": True,
        "include_file_name": False,
        "storage": "file_storage",
        "max_log_size": "1MiB",
        # Retry forever: the log files keep the lines.
        "retry_on_failure": {"enabled": True, "max_interval": "5s", "max_elapsed_time": _UNLIMITED},
        "operators": _operators(args["services"]),
    }


def _operators(services: Sequence[MonitoredService]) -> list[Config]:
    """Operators that parse the runtime's format, JSON, levels and trace IDs."""
    is_json = 'body matches "^\\\\{.*\\\\}\\\\s*$"'
    return [
        {"id": "cri", "type": "container"},
        # Lines of stdout do not continue those of stderr, which are in the same file.
        {
            "id": "stream",
            "type": "add",
            "field": "attributes.stream",
            "value": 'EXPR(attributes["log.file.path"] + " " + attributes["log.iostream"])',
        },
        {
            # A JSON line is complete: do not wait for further lines.
            "id": "shape",
            "type": "router",
            "routes": [{"output": "json", "expr": is_json}],
            "default": "together",
        },
        {
            "id": "together",
            "type": "recombine",
            "combine_field": "body",
            "is_first_entry": f"not (body matches {json.dumps(f'^({_CONTINUATION})')})",
            "source_identifier": "attributes.stream",
            "force_flush_period": "500ms",
            "max_log_size": "256KiB",
        },
        {
            "id": "json",
            "type": "json_parser",
            "if": is_json,
            "parse_to": "attributes.line",
            # Keep a line that is not valid JSON unchanged.
            "on_error": "send_quiet",
        },
        {
            # The text handlers of slog and logrus: time=… level=WARN msg=…
            "id": "logfmt",
            "type": "regex_parser",
            "if": f"not ({_IS_PARSED}) and body matches {json.dumps(_LOGFMT_LEVEL)}",
            "regex": _LOGFMT_LEVEL,
            "parse_to": "attributes.line",
            "on_error": "send_quiet",
        },
        *_first_of_keys(services, "level", "level"),
        {
            "id": "level-name",
            "type": "add",
            "if": '"level" in attributes',
            "field": "attributes.level",
            "value": f'EXPR({json.dumps(LEVEL_OF_SPELLING)}[{_LEVEL_WITHOUT_OFFSET}] ?? "")',
        },
        # An unknown level is not copied to the metadata: Loki rejects a line with large metadata.
        {
            "id": "level-unknown",
            "type": "remove",
            "if": 'attributes.level == ""',
            "field": "attributes.level",
        },
        {
            "id": "severity",
            "type": "severity_parser",
            "if": '"level" in attributes',
            "parse_from": "attributes.level",
            "on_error": "send_quiet",
        },
        *_first_of_keys(services, "trace_id", "trace"),
        *_first_of_keys(services, "span_id", "span"),
        {
            "id": "trace-ids",
            "type": "trace_parser",
            "if": _HAS_TRACE,
            "trace_id": {"parse_from": "attributes.trace"},
            "span_id": {"parse_from": "attributes.span"},
            "on_error": "send_quiet",
        },
        *(
            {
                "id": f"without-{key}",
                "type": "remove",
                "if": f'"{key}" in attributes',
                "field": f'attributes["{key}"]',
            }
            for key in ("line", "stream", "trace", "span", "logtag", "time", "log.file.path")
        ),
    ]


def _first_of_keys(
    services: Sequence[MonitoredService], name: str, attribute: str
) -> Iterator[Config]:
    """Operators that copy the first of the keys that a line has to an attribute, as text.

    A service with keys of its own has an operator of its own.
    """
    default: tuple[str, ...] = getattr(LogKeys(), name)
    for service in services:
        keys: tuple[str, ...] = getattr(service.log_keys, name)
        if keys != default:
            container = (
                f'resource["k8s.namespace.name"] == "{service.namespace}" and '
                f'resource["k8s.container.name"] == "{service.name}"'
            )
            yield _first_key(f"{attribute}-of-{service.name}", keys, attribute, container)
    yield _first_key(
        f"{attribute}-of-line", default, attribute, f'not ("{attribute}" in attributes)'
    )


def _first_key(id_: str, keys: Sequence[str], attribute: str, condition: str) -> Config:
    values = " ?? ".join(f'attributes.line["{key}"]' for key in keys)
    return {
        "id": id_,
        "type": "add",
        "if": f"{_IS_PARSED} and ({values}) != nil and {condition}",
        "field": f"attributes.{attribute}",
        "value": f"EXPR(string({values}))",
    }


_IS_PARSED = '"line" in attributes'
_LOGFMT_LEVEL = r'(?:^|\s)(?:level|severity|lvl)="?(?P<level>[A-Za-z]+(?:[+-][0-9]+)?)'
# slog writes levels between its own as WARN+1.
_LEVEL_WITHOUT_OFFSET = (
    'lower(attributes.level) matches "^[a-z]+[+-][0-9]+$" '
    '? split(split(lower(attributes.level), "+")[0], "-")[0] : lower(attributes.level)'
)
# Matches the exact format: if the operator failed, the next line would be lost.
_HAS_TRACE = (
    '(attributes.trace ?? "") matches "^[0-9a-f]{32}$" and '
    '(attributes.span ?? "") matches "^([0-9a-f]{16})?$"'
)


def _log_exporters(logs: LogsSettings, monitoring_namespace: str) -> dict[str, Config]:
    loki = LOKI.url(monitoring_namespace)
    exporters: dict[str, Config] = {"otlphttp/loki": {"endpoint": f"{loki}/otlp"}}
    if kafka := logs.kafka:
        exporters["kafka"] = {
            "brokers": list(kafka.brokers),
            "logs": {"topic": kafka.topic, "encoding": "otlp_json"},
            # Wait until all in-sync replicas have the line.
            "producer": {"required_acks": -1},
        }
    if elasticsearch := logs.elasticsearch:
        exporters["elasticsearch"] = {
            "endpoints": [elasticsearch.url],
            "logs_index": elasticsearch.index,
            **({"auth": {"authenticator": _API_KEY}} if elasticsearch.api_key else {}),
        }
    return {name: {**exporter, **_queue_and_retry(name)} for name, exporter in exporters.items()}


def _authenticator(logs: LogsSettings) -> dict[str, Config]:
    """Extension that sends the API key and reloads its file, so that a key can be rotated."""
    if not (logs.elasticsearch and logs.elasticsearch.api_key):
        return {}
    return {_API_KEY: {"scheme": "ApiKey", "filename": str(SECRETS / "elasticsearch")}}


def _queue_and_retry(exporter: str) -> Config:
    """Persistent queue on the node's disk, and retries without limit."""
    backoff = {"enabled": True, "initial_interval": "500ms", "max_interval": "5s"}
    return {
        **(
            {"retry": {**backoff, "max_retries": 1_000_000_000}}
            if exporter == "elasticsearch"
            else {"retry_on_failure": {**backoff, "max_elapsed_time": _UNLIMITED}}
        ),
        "sending_queue": {
            "enabled": True,
            "storage": "file_storage",
            "queue_size": 2000,
            "num_consumers": 4,
            # A full queue stops the receiver; by default, it would drop lines.
            "block_on_overflow": True,
        },
    }


def _sink_peers(logs: LogsSettings) -> list[NetworkPeer]:
    """Any address on the sinks' ports, because they can be outside the cluster."""
    ports = [int(broker.rpartition(":")[2]) for broker in logs.kafka.brokers] if logs.kafka else []
    if logs.elasticsearch:
        ports.append(port_of(logs.elasticsearch.url))
    return [NetworkPeer(None, tuple(sorted(set(ports))))] if ports else []


def _telemetry(port: int) -> Config:
    own = {"host": "0.0.0.0", "port": port}  # noqa: S104
    return {
        "logs": {"level": "warn"},
        "metrics": {"readers": [{"pull": {"exporter": {"prometheus": own}}}]},
    }
