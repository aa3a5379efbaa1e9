"""kube-state-metrics: metrics of the cluster's objects."""

from typing import TYPE_CHECKING

from components.observability.addresses import (
    KUBE_STATE_METRICS,
    KUBE_STATE_METRICS_OWN,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.server import HttpProbe, Server, ServerSpec
from components.versions import server_image
from settings import ResourceList, ResourceRequirements

if TYPE_CHECKING:
    from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="48Mi"), limits=ResourceList(cpu="200m", memory="192Mi")
)
_RESOURCES_BY_GROUP = {
    "": (
        *("endpoints", "limitranges", "namespaces", "nodes", "persistentvolumeclaims"),
        *("persistentvolumes", "pods", "replicationcontrollers", "resourcequotas", "services"),
    ),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "storage.k8s.io": ("storageclasses", "volumeattachments"),
}
"""Exported resources, by API group. They are also its permissions: no ConfigMaps, no Secrets."""
_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version")


class KubeStateMetrics(Server):
    """kube-state-metrics, one pod for the cluster."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        namespace = args["network"].monitoring_namespace
        resources = sorted(name for group in _RESOURCES_BY_GROUP.values() for name in group)
        return ServerSpec(
            kind="Deployment",
            namespace=namespace,
            image=server_image("kubeStateMetrics"),
            user=65534,
            resources=_RESOURCES,
            ports={"http": KUBE_STATE_METRICS.port, "metrics": KUBE_STATE_METRICS_OWN.port},
            readiness=HttpProbe("/readyz", KUBE_STATE_METRICS_OWN.port),
            liveness=HttpProbe("/livez", KUBE_STATE_METRICS.port),
            args=[
                f"--port={KUBE_STATE_METRICS.port}",
                f"--telemetry-port={KUBE_STATE_METRICS_OWN.port}",
                f"--resources={','.join(resources)}",
                f"--metric-labels-allowlist=pods=[{','.join((*_LABELS, 'track', 'owner'))}]",
            ],
            rbac_rules=_rbac_rules(),
            ingress=[
                PROMETHEUS.peer(namespace, KUBE_STATE_METRICS.port, KUBE_STATE_METRICS_OWN.port)
            ],
        )


def _rbac_rules() -> "list[PolicyRuleArgsDict]":
    return [
        {"api_groups": [group], "resources": list(resources), "verbs": ["list", "watch"]}
        for group, resources in _RESOURCES_BY_GROUP.items()
    ]
