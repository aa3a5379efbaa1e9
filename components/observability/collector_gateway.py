"""OpenTelemetry Collector that receives the services' spans."""

import json
from collections.abc import Iterator, Sequence

from components.network_peer import NetworkPeer
from components.observability.addresses import (
    COLLECTOR,
    COLLECTOR_GRPC,
    COLLECTOR_METRICS,
    JAEGER_OTLP,
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
from components.observability.monitored_service import MonitoredService
from components.observability.server import Server, ServerSpec, TcpProbe
from components.observability.span_limit import COUNT_SPANS, span_limit
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import ResourceList, ResourceRequirements, TracesSettings

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="64Mi"), limits=ResourceList(cpu="500m", memory="256Mi")
)


class CollectorGateway(Server):
    """Sends the services' spans to Jaeger with the metadata of their pods.

    Traces above the rate for which Jaeger's volume has space are dropped and counted.
    """

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        namespace = args["network"].monitoring_namespace
        config = gateway_config(args["settings"].traces, namespace, args["services"])
        return ServerSpec(
            kind="Deployment",
            namespace=namespace,
            image=server_image("collector"),
            user=10001,
            resources=_RESOURCES,
            ports={
                "otlp-http": COLLECTOR.port,
                "otlp-grpc": COLLECTOR_GRPC.port,
                "metrics": COLLECTOR_METRICS.port,
            },
            readiness=HEALTH,
            liveness=TcpProbe(COLLECTOR.port),
            args=[f"--config={CONFIG_DIR / CONFIG_FILE}", f"--feature-gates={COUNT_SPANS}"],
            config_dir=CONFIG_DIR,
            config_files={CONFIG_FILE: to_yaml(config)},
            rbac_rules=[
                {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
            ],
            ingress=[
                NetworkPeer(args["namespace"], (COLLECTOR.port,)),
                PROMETHEUS.peer(namespace, COLLECTOR_METRICS.port),
            ],
            egress=[JAEGER_OTLP.peer(namespace)],
        )


def gateway_config(
    traces: TracesSettings, namespace: str, services: Sequence[MonitoredService] = ()
) -> Config:
    """Configuration of the gateway in ``namespace``, for the spans of ``services``."""
    limit = span_limit(traces)
    roles = _roles(services)
    return {
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{HEALTH.port}"}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"0.0.0.0:{COLLECTOR_GRPC.port}"},
                    "http": {"endpoint": f"0.0.0.0:{COLLECTOR.port}"},
                }
            }
        },
        "processors": {
            "memory_limiter": MEMORY_LIMITER,
            "k8sattributes": {
                "extract": {
                    "metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.node.name"],
                    "labels": [{"tag_name": "track", "key": "track", "from": "pod"}],
                },
                "pod_association": [{"sources": [{"from": "connection"}]}],
            },
            **roles,
            **limit,
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
                    "processors": ["memory_limiter", "k8sattributes", *roles, *limit, "batch"],
                    "exporters": ["otlp"],
                }
            },
            "telemetry": telemetry(COLLECTOR_METRICS.port),
        },
    }


def _roles(services: Sequence[MonitoredService]) -> Config:
    """Processor that adds the role of pods whose label ``track`` has another value."""
    statements = [one for service in services for one in _role_statements(service)]
    if not statements:
        return {}
    rules = {"context": "resource", "statements": statements}
    return {"transform/roles": {"error_mode": "ignore", "trace_statements": [rules]}}


def _role_statements(service: MonitoredService) -> Iterator[str]:
    if not service.roles.rules:
        return
    for track in service.roles.deployments:
        pods = json.dumps(f"^{service.pod_pattern(track)}$")
        is_pod = (
            f'attributes["k8s.namespace.name"] == "{service.namespace}" and '
            f'IsMatch(attributes["k8s.pod.name"], {pods})'
        )
        for name in ("track", "deployment.track"):
            yield f'set(attributes["{name}"], "{track}") where {is_pod}'
