"""OpenTelemetry Collector on each node that sends the pods' log lines to Loki or to Kafka."""

from components.observability.addresses import (
    AGENT_METRICS,
    LOG_CONSUMER_METRICS,
    LOKI,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.collector import (
    CONFIG_DIR,
    CONFIG_FILE,
    HEALTH,
    MEMORY_LIMITER,
    Config,
    telemetry,
)
from components.observability.log_formats import log_operators
from components.observability.log_sinks import (
    LOKI_EXPORTER,
    UNLIMITED,
    agent_exporters,
    authenticator,
    peers,
    retries,
    secrets,
    sink_of,
)
from components.observability.server import HostPath, Server, ServerSpec, TcpProbe
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import ResourceList, ResourceRequirements

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="96Mi"), limits=ResourceList(cpu="500m", memory="384Mi")
)
_LOG_DIR = "/var/log/pods"
_LOG_FILES = "*.log{,.????????-??????}"
"""The current log file and the one rotated last, so that the agent also reads that to its end.
Older files, which the kubelet compresses, have longer names."""
_STATE_DIR = "/var/lib/otelcol"


class CollectorAgent(Server):
    """Sends the log lines of the stack's pods on its node to Loki or to Kafka, see ``transport``.

    While that is down, lines are in a persistent queue on the node's disk; when the queue is full,
    the agent stops reading. Read offsets are on the node's disk, too. A SIGKILL loses at most the
    lines read in the last 100 ms (up to 100 per file) and an incomplete multi-line entry. Lines in
    a file that the kubelet rotated twice before it was read are lost, because it is compressed.
    """

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        logs, network = args["settings"].logs, args["network"]
        namespace = args["settings"].node_namespace
        exporters = agent_exporters(logs, network.monitoring_namespace)
        return ServerSpec(
            kind="DaemonSet",
            namespace=namespace,
            image=server_image(
                "collector" if set(exporters) == {LOKI_EXPORTER} else "collectorContrib"
            ),
            # Only root can read the log files. The container has no capabilities.
            user=0,
            resources=_RESOURCES,
            ports={"metrics": AGENT_METRICS.port},
            readiness=HEALTH,
            liveness=TcpProbe(AGENT_METRICS.port),
            args=[f"--config={CONFIG_DIR / CONFIG_FILE}"],
            config_dir=CONFIG_DIR,
            config_files={CONFIG_FILE: to_yaml(agent_config(args))},
            secrets=secrets(exporters, logs),
            host_paths=[
                HostPath(_LOG_DIR, _LOG_DIR),
                # By namespace: several stacks can have an agent on the same node.
                HostPath(f"{_STATE_DIR}/{namespace}", _STATE_DIR, writable=True),
            ],
            rbac_rules=[
                {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
            ],
            ingress=[PROMETHEUS.peer(network.monitoring_namespace, AGENT_METRICS.port)],
            egress=peers(exporters, logs, network.monitoring_namespace),
        )


def agent_config(args: ObservabilityArgs) -> Config:
    """Configuration of the agent.

    Each exporter has its own pipeline and receiver, so that one that is down blocks no other.
    """
    logs, network = args["settings"].logs, args["network"]
    exporters = agent_exporters(logs, network.monitoring_namespace)
    sinks = {sink_of(exporter): exporter for exporter in exporters}
    receiver = _pod_logs(args)
    extensions = authenticator(exporters, logs)
    return {
        "extensions": {
            "health_check": {"endpoint": f"0.0.0.0:{HEALTH.port}"},
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
            "memory_limiter": MEMORY_LIMITER,
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
        "exporters": {name: {**one, **_queue(name)} for name, one in exporters.items()},
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
            "telemetry": telemetry(AGENT_METRICS.port),
        },
    }


def _pod_logs(args: ObservabilityArgs) -> Config:
    network, node_namespace = args["network"], args["settings"].node_namespace
    monitoring = network.monitoring_namespace
    namespaces = {
        *(args["namespace"], monitoring, network.proxy_namespace, "kube-system", node_namespace)
    }
    return {
        "include": [f"{_LOG_DIR}/{name}_*/*/{_LOG_FILES}" for name in sorted(namespaces)],
        # Without this, these servers would log lines about their own lines, endlessly.
        "exclude": [
            f"{_LOG_DIR}/{node_namespace}_{AGENT_METRICS.server}-*/*/{_LOG_FILES}",
            f"{_LOG_DIR}/{monitoring}_{LOG_CONSUMER_METRICS.server}-*/*/{_LOG_FILES}",
            f"{_LOG_DIR}/{monitoring}_{LOKI.server}-*/*/{_LOG_FILES}",
        ],
        "start_at": "beginning",
        "include_file_path": True,
        "include_file_name": False,
        "storage": "file_storage",
        "max_log_size": "1MiB",
        # Retry forever: the log files keep the lines.
        "retry_on_failure": {"enabled": True, "max_interval": "5s", "max_elapsed_time": UNLIMITED},
        "operators": log_operators(args["services"]),
    }


def _queue(exporter: str) -> Config:
    """Persistent queue on the node's disk, and retries without limit."""
    return {
        **retries(exporter),
        "sending_queue": {
            "enabled": True,
            "storage": "file_storage",
            "queue_size": 2000,
            "num_consumers": 4,
            # A full queue stops the receiver; by default, it would drop lines.
            "block_on_overflow": True,
        },
    }
