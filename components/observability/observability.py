"""Everything that watches the service, in the mode that the stack asks for."""

from typing import TYPE_CHECKING, TypedDict

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
from components.observability.slo import Slo
from settings import Network, ObservabilitySettings, Service

if TYPE_CHECKING:
    from components.observability.server import ServerArgs


class ObservabilityArgs(TypedDict):
    """Arguments of :class:`Observability`."""

    settings: ObservabilitySettings
    service: Service
    slo: Slo
    network: Network


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
        self._args = args
        self.addresses = {}
        match args["settings"].mode:
            case "bundled":
                self._bundled()
            case "operator":
                OperatorObjects(
                    f"{name}-operator",
                    {
                        "settings": args["settings"],
                        "service": args["service"],
                        "slo": args["slo"],
                        "monitoring_namespace": args["network"].monitoring_namespace,
                    },
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"addresses": self.addresses})

    def _bundled(self) -> None:
        settings, slo = self._args["settings"], self._args["slo"]
        network = self._args["network"]
        namespace = network.monitoring_namespace
        namespaces = [
            Namespace(
                namespace,
                {"resource_quota": None, "limit_range": None},
                opts=pulumi.ResourceOptions(parent=self),
            ),
            Namespace(
                settings.node_namespace,
                {"resource_quota": None, "limit_range": None, "pod_security": "privileged"},
                opts=pulumi.ResourceOptions(parent=self),
            ),
        ]
        inside = pulumi.ResourceOptions(parent=self, depends_on=namespaces)
        common: ServerArgs = {
            "monitoring_namespace": namespace,
            "node_namespace": settings.node_namespace,
        }
        Prometheus(
            "prometheus",
            {
                **common,
                "service": self._args["service"],
                "proxy_namespace": network.proxy_namespace,
                "metrics": settings.metrics,
                "slo": slo,
                "runbook_base_url": settings.runbook_base_url,
            },
            opts=inside,
        )
        Alertmanager("alertmanager", {**common, "alerts": settings.alerts}, opts=inside)
        Loki("loki", {**common, "logs": settings.logs}, opts=inside)
        Jaeger("jaeger", {**common, "traces": settings.traces}, opts=inside)
        CollectorGateway("collector", {**common, "service_namespace": slo.namespace}, opts=inside)
        CollectorAgent(
            "collector-agent",
            {
                **common,
                "service_namespace": slo.namespace,
                "proxy_namespace": network.proxy_namespace,
                "logs": settings.logs,
            },
            opts=inside,
        )
        NodeExporter("node-exporter", common, opts=inside)
        KubeStateMetrics("kube-state-metrics", common, opts=inside)
        shown = [PROMETHEUS, ALERTMANAGER, LOKI, JAEGER, COLLECTOR]
        if settings.grafana.enabled:
            Grafana("grafana", {**common, "grafana": settings.grafana, "slo": slo}, opts=inside)
            shown.append(GRAFANA)
        self.addresses = {address.server: address.url(namespace) for address in shown}
