"""OpenTelemetry Collectors: a gateway for traces, and an agent per node for logs."""

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
from components.observability.server import (
    SECRETS,
    Description,
    HostFolder,
    Http,
    Server,
    ServerArgs,
    Tcp,
)
from components.observability.text import as_yaml
from components.versions import IMAGES
from settings import LogsSettings, ResourceList, ResourceRequirements

_GATEWAY_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="64Mi"), limits=ResourceList(cpu="500m", memory="256Mi")
)
_AGENT_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="96Mi"), limits=ResourceList(cpu="500m", memory="384Mi")
)
_FOLDER = PurePosixPath("/etc/otelcol")
_FILE = "collector.yaml"
_HEALTH = Http("/", 13133)
_LOGS = "/var/log/pods"
_WRITTEN = "*.log{,.????????-??????}"
"""What the runtime writes to, and what the kubelet has put aside of it: a rotated file is read to
its end too, however late. The ones before, which it compresses, have a longer name."""
_POSITIONS = "/var/lib/otelcol"
_NO_END = "0s"
_API_KEY = "bearertokenauth/elasticsearch"

_CONTINUES = "|".join(
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
"""How a line begins that belongs to the one before it."""

Config = dict[str, Any]


class CollectorGatewayArgs(ServerArgs):
    """Arguments of :class:`CollectorGateway`."""

    service_namespace: str


class CollectorGateway(Server[CollectorGatewayArgs]):
    """Receives the service's spans and brings them to Jaeger, with what Kubernetes knows."""

    def describe(self, args: CollectorGatewayArgs) -> Description:
        namespace = args["monitoring_namespace"]
        return Description(
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
            ready=_HEALTH,
            alive=Tcp(COLLECTOR.port),
            args=[f"--config={_FOLDER / _FILE}"],
            folder=_FOLDER,
            files={_FILE: as_yaml(gateway_config(namespace))},
            may=[{"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
            reached_by=[
                NetworkPeer(args["service_namespace"], (COLLECTOR.port,)),
                PROMETHEUS.peer(namespace, COLLECTOR_METRICS.port),
            ],
            reaches=[JAEGER_OTLP.peer(namespace)],
        )


class CollectorAgentArgs(ServerArgs):
    """Arguments of :class:`CollectorAgent`."""

    service_namespace: str
    proxy_namespace: str
    """Namespace of the proxies that serve Ingresses or Gateways."""
    logs: LogsSettings


class CollectorAgent(Server[CollectorAgentArgs]):
    """Brings every line that the stack's pods write on its node to Loki.

    It loses none while Loki is away: what was read is in a queue on the node's disk, and when that
    is full, it stops reading. How far it has read is on the node's disk too. Lost is only what it
    read in the tenth of a second before it is killed without warning, 100 lines of each file at
    most, and what waited to be put together with more; and what the kubelet has rotated twice
    before it was read: it compresses that.
    """

    def describe(self, args: CollectorAgentArgs) -> Description:
        logs, namespace, monitoring = (
            args["logs"],
            args["node_namespace"],
            args["monitoring_namespace"],
        )
        has_sinks = bool(logs.kafka or logs.elasticsearch)
        key = logs.elasticsearch and logs.elasticsearch.api_key
        return Description(
            kind="DaemonSet",
            namespace=namespace,
            image=IMAGES["collectorContrib" if has_sinks else "collector"],
            # The files belong to root, and only root may read them. It has no capabilities.
            user=0,
            resources=_AGENT_RESOURCES,
            ports={"metrics": AGENT_METRICS.port},
            ready=_HEALTH,
            alive=Tcp(AGENT_METRICS.port),
            args=[f"--config={_FOLDER / _FILE}"],
            folder=_FOLDER,
            files={_FILE: as_yaml(agent_config(args))},
            secrets={"elasticsearch": key.get_secret_value()} if key else {},
            host_folders=[
                HostFolder(_LOGS, _LOGS),
                # Of this stack alone, should there be two.
                HostFolder(f"{_POSITIONS}/{namespace}", _POSITIONS, writable=True),
            ],
            may=[{"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
            reached_by=[PROMETHEUS.peer(monitoring, AGENT_METRICS.port)],
            reaches=[
                LOKI.peer(monitoring),
                *_sink_peers(logs),
            ],
        )


def gateway_config(namespace: str) -> Config:
    """The gateway's configuration."""
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
            "memory_limiter": _MEMORY,
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
                # Inside the cluster, between two pods that a network policy ties together.
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


def agent_config(args: CollectorAgentArgs) -> Config:
    """The agent's configuration: for each place that lines go to, a pipeline of its own.

    Each reads on its own too, so that a sink which is away holds up no other.
    """
    exporters = _log_exporters(args["logs"], args["monitoring_namespace"])
    extensions = _key_extensions(args["logs"])
    return {
        "extensions": {
            "health_check": {"endpoint": f"0.0.0.0:{_HEALTH.port}"},
            "file_storage": {
                "directory": _POSITIONS,
                "fsync": True,
                "compaction": {
                    "on_start": True,
                    "directory": _POSITIONS,
                    "cleanup_on_start": True,
                },
            },
            **extensions,
        },
        "receivers": {_receiver_of(exporter): _pod_logs(args) for exporter in exporters},
        "processors": {
            "memory_limiter": _MEMORY,
            "k8sattributes": {
                "filter": {"node_from_env_var": "NODE_NAME"},
                "wait_for_metadata": True,
                "wait_for_metadata_timeout": "30s",
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
            # For pods that have no such label.
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
                f"logs/{exporter.partition('/')[2] or exporter}": {
                    "receivers": [_receiver_of(exporter)],
                    "processors": ["memory_limiter", "k8sattributes", "resource"],
                    "exporters": [exporter],
                }
                for exporter in exporters
            },
            "telemetry": _telemetry(AGENT_METRICS.port),
        },
    }


_MEMORY: Config = {"check_interval": "1s", "limit_percentage": 75, "spike_limit_percentage": 20}


def _pod_logs(args: CollectorAgentArgs) -> Config:
    node_namespace, monitoring = args["node_namespace"], args["monitoring_namespace"]
    namespaces = {args["service_namespace"], monitoring, args["proxy_namespace"], "kube-system"}
    return {
        "include": [
            f"{_LOGS}/{name}_*/*/{_WRITTEN}" for name in sorted({*namespaces, node_namespace})
        ],
        # What they write about a line would be a line to write about.
        "exclude": [
            f"{_LOGS}/{node_namespace}_{AGENT_METRICS.server}-*/*/{_WRITTEN}",
            f"{_LOGS}/{monitoring}_{LOKI.server}-*/*/{_WRITTEN}",
        ],
        "start_at": "beginning",
        "include_file_path": True,
        "include_file_name": False,
        "storage": "file_storage",
        "max_log_size": "1MiB",
        # Without end: the files are the queue behind the queue.
        "retry_on_failure": {"enabled": True, "max_interval": "5s", "max_elapsed_time": _NO_END},
        "operators": _operators(),
    }


def _operators() -> list[Config]:
    """From a line of the container runtime to one of the program that wrote it."""
    is_json = 'body matches "^\\\\{.*\\\\}\\\\s*$"'
    parsed = "attributes.line"
    return [
        {"id": "cri", "type": "container"},
        {
            # A line of JSON is whole, and is not held back.
            "id": "shape",
            "type": "router",
            "routes": [{"output": "json", "expr": is_json}],
            "default": "together",
        },
        {
            "id": "together",
            "type": "recombine",
            "combine_field": "body",
            "is_first_entry": f"not (body matches {_quoted('^(' + _CONTINUES + ')')})",
            "force_flush_period": "500ms",
            "max_log_size": "256KiB",
        },
        {
            "id": "json",
            "type": "json_parser",
            "if": is_json,
            "parse_to": parsed,
            # What only looks like JSON stays the line that it is.
            "on_error": "send_quiet",
        },
        {
            "id": "level",
            "type": "severity_parser",
            "if": _has("level"),
            "parse_from": f"{parsed}.level",
            "on_error": "send_quiet",
        },
        {
            "id": "level-by-name",
            "type": "move",
            "if": _has("level"),
            "from": f"{parsed}.level",
            "to": "attributes.level",
        },
        {
            "id": "trace",
            "type": "trace_parser",
            "if": _HAS_TRACE,
            "trace_id": {"parse_from": f"{parsed}.trace_id"},
            "span_id": {"parse_from": f"{parsed}.span_id"},
            "on_error": "send_quiet",
        },
        *(
            {
                "id": f"without-{name}",
                "type": "remove",
                "if": f'"{key}" in attributes',
                "field": f'attributes["{key}"]',
            }
            for name, key in (
                ("parsed", "line"),
                ("tag", "logtag"),
                ("time", "time"),
                ("path", "log.file.path"),
            )
        ),
    ]


def _has(key: str) -> str:
    return f'"line" in attributes and type(attributes.line.{key}) == "string"'


# Exact, for where an operator fails, the line after this one would be lost.
_HAS_TRACE = (
    f"{_has('trace_id')} and attributes.line.trace_id matches "
    '"^[0-9a-f]{32}$" and string(attributes.line.span_id ?? "") matches "^([0-9a-f]{16})?$"'
)


def _quoted(pattern: str) -> str:
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _log_exporters(logs: LogsSettings, monitoring_namespace: str) -> dict[str, Config]:
    loki = LOKI.url(monitoring_namespace)
    exporters: dict[str, Config] = {"otlphttp/loki": {"endpoint": f"{loki}/otlp"}}
    if kafka := logs.kafka:
        exporters["kafka"] = {
            "brokers": list(kafka.brokers),
            "logs": {"topic": kafka.topic, "encoding": "otlp_json"},
            # All replicas have it, or it is sent again.
            "producer": {"required_acks": -1},
        }
    if elasticsearch := logs.elasticsearch:
        exporters["elasticsearch"] = {
            "endpoints": [elasticsearch.url],
            "logs_index": elasticsearch.index,
            **({"auth": {"authenticator": _API_KEY}} if elasticsearch.api_key else {}),
        }
    return {name: {**exporter, **_held(name)} for name, exporter in exporters.items()}


def _key_extensions(logs: LogsSettings) -> dict[str, Config]:
    """What sends the key, and reads its file again when that changes: a key can be replaced."""
    if not (logs.elasticsearch and logs.elasticsearch.api_key):
        return {}
    return {_API_KEY: {"scheme": "ApiKey", "filename": str(SECRETS / "elasticsearch")}}


def _held(exporter: str) -> Config:
    """Keeps on the node's disk what could not be sent, and tries again without end."""
    pauses = {"enabled": True, "initial_interval": "500ms", "max_interval": "5s"}
    return {
        **(
            {"retry": {**pauses, "max_retries": 1_000_000_000}}
            if exporter == "elasticsearch"
            else {"retry_on_failure": {**pauses, "max_elapsed_time": _NO_END}}
        ),
        "sending_queue": {
            "enabled": True,
            "storage": "file_storage",
            "queue_size": 2000,
            "num_consumers": 4,
            # Else what is read while it is full would be thrown away.
            "block_on_overflow": True,
        },
    }


def _receiver_of(exporter: str) -> str:
    return f"filelog/{exporter.partition('/')[2] or exporter}"


def _sink_peers(logs: LogsSettings) -> list[NetworkPeer]:
    """Sinks may be outside the cluster, so only their ports can be told."""
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
