"""Monitoring of the stack's services, in the mode of the stack."""

import pulumi

from components.namespace import Namespace
from components.observability.addresses import (
    ALERTMANAGER,
    COLLECTOR,
    GRAFANA,
    JAEGER,
    LOG_CONSUMER_METRICS,
    LOKI,
    PROMETHEUS,
)
from components.observability.alertmanager import Alertmanager
from components.observability.args import ObservabilityArgs
from components.observability.collector_agent import CollectorAgent
from components.observability.collector_gateway import CollectorGateway
from components.observability.grafana import Grafana
from components.observability.jaeger import Jaeger
from components.observability.kube_state_metrics import KubeStateMetrics
from components.observability.log_consumer import LogConsumer
from components.observability.loki import Loki
from components.observability.node_exporter import NodeExporter
from components.observability.operator import OperatorObjects
from components.observability.prometheus import Prometheus
from components.observability.server import Server

_SERVERS: dict[str, type[Server]] = {
    "prometheus": Prometheus,
    "alertmanager": Alertmanager,
    "loki": Loki,
    "jaeger": Jaeger,
    "collector": CollectorGateway,
    "collector-agent": CollectorAgent,
    "node-exporter": NodeExporter,
    "kube-state-metrics": KubeStateMetrics,
}


class Observability(pulumi.ComponentResource):
    """Monitoring of the stack's services.

    Mode ``bundled`` deploys namespaces and servers, ``operator`` objects for the cluster's own
    kube-prometheus-stack, ``off`` nothing.
    """

    addresses: dict[str, str]
    """URLs of the servers inside the cluster, by name. Empty except in mode ``bundled``."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:observability:Observability", name, None, opts)
        self.addresses = {}
        match args["settings"].mode:
            case "bundled":
                self._bundled(args)
            case "operator":
                child = pulumi.ResourceOptions(parent=self)
                OperatorObjects(f"{name}-operator", args, opts=child)
        self.register_outputs({"addresses": self.addresses})

    def _bundled(self, args: ObservabilityArgs) -> None:
        namespace = args["network"].monitoring_namespace
        child = pulumi.ResourceOptions(parent=self)
        namespaces = [
            Namespace(namespace, {"resource_quota": None, "limit_range": None}, opts=child),
            Namespace(
                args["settings"].node_namespace,
                {"resource_quota": None, "limit_range": None, "pod_security": "privileged"},
                opts=child,
            ),
        ]
        in_namespaces = pulumi.ResourceOptions(parent=self, depends_on=namespaces)
        addresses = [PROMETHEUS, ALERTMANAGER, LOKI, JAEGER, COLLECTOR]
        for server, component in _SERVERS.items():
            component(server, args, opts=in_namespaces)
        if args["settings"].logs.transport == "kafka":
            LogConsumer(LOG_CONSUMER_METRICS.server, args, opts=in_namespaces)
        if args["settings"].grafana.enabled:
            Grafana("grafana", args, opts=in_namespaces)
            addresses.append(GRAFANA)
        self.addresses = {address.server: address.url(namespace) for address in addresses}
