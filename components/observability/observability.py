"""Everything that watches the service, in the mode that the stack asks for."""

from typing import TypedDict

import pulumi

from components.namespace import Namespace
from components.observability.addresses import (
    ALERTMANAGER,
    COLLECTOR,
    GRAFANA,
    JAEGER,
    LOKI,
    PROMETHEUS,
)
from components.observability.alertmanager import Alertmanager
from components.observability.collector import CollectorAgent, CollectorGateway
from components.observability.grafana import Grafana
from components.observability.jaeger import Jaeger
from components.observability.kube_state_metrics import KubeStateMetrics
from components.observability.loki import Loki
from components.observability.node_exporter import NodeExporter
from components.observability.operator import OperatorObjects
from components.observability.prometheus import Prometheus
from components.observability.server import Server
from settings import Settings

_SERVERS: dict[str, type[Server]] = {
    "prometheus": Prometheus,
    "alertmanager": Alertmanager,
    "loki": Loki,
    "jaeger": Jaeger,
    "collector": CollectorGateway,
    "collector-agent": CollectorAgent,
    "node-exporter": NodeExporter,
    "kube-state-metrics": KubeStateMetrics,
    "grafana": Grafana,
}


class ObservabilityArgs(TypedDict):
    """What :class:`Observability` is made from."""

    settings: Settings
    """Of the whole stack."""


class Observability(pulumi.ComponentResource):
    """``bundled``: namespaces and servers. ``operator``: objects for the cluster's own servers.

    Whoever makes it depends on what serves requests: nobody waits for monitoring to be served.
    """

    addresses: dict[str, str]
    """Where people and tools reach each server, by its name. Empty but in mode ``bundled``."""

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:observability:Observability", name, None, opts)
        self._settings = settings = args["settings"]
        self.addresses = {}
        match settings.observability.mode:
            case "bundled":
                self._bundled()
            case "operator":
                OperatorObjects(
                    f"{name}-operator",
                    {"settings": settings},
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"addresses": self.addresses})

    def _bundled(self) -> None:
        settings = self._settings
        namespace = settings.network.monitoring_namespace
        namespaces = [
            Namespace(
                namespace,
                {"resource_quota": None, "limit_range": None},
                opts=pulumi.ResourceOptions(parent=self),
            ),
            Namespace(
                settings.observability.node_namespace,
                {"resource_quota": None, "limit_range": None, "pod_security": "privileged"},
                opts=pulumi.ResourceOptions(parent=self),
            ),
        ]
        inside = pulumi.ResourceOptions(parent=self, depends_on=namespaces)
        has_grafana = settings.observability.grafana.enabled
        for server, kind in _SERVERS.items():
            if kind is not Grafana or has_grafana:
                kind(server, {"settings": settings}, opts=inside)
        shown = (PROMETHEUS, ALERTMANAGER, LOKI, JAEGER, COLLECTOR)
        self.addresses = {
            address.server: address.url(namespace)
            for address in (*shown, *([GRAFANA] if has_grafana else []))
        }
