"""``workload.edge`` of a service."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from settings.section import Section
from settings.string_formats import LabelValue

EDGE_NODE = "node-role.kubernetes.io/edge"
"""Label of KubeEdge's nodes, and the usual key of their taint."""
NODE_GROUP = "apps.kubeedge.io/belonging-to"
"""Label that KubeEdge gives to the nodes of a NodeGroup."""
ARCHITECTURE = "kubernetes.io/arch"
OFFLINE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""Taints of a node whose kubelet does not report to the API server."""
Architecture = Literal["amd64", "arm64"]
_RESOURCES = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"cpu": "250m", "memory": "128Mi"},
}


class EdgeSettings(Section):
    """Placement on edge nodes, such as those of KubeEdge, and operation while a node is offline.

    The pods require the label `node-role.kubernetes.io/edge` and tolerate the taint of that name.
    """

    architectures: Annotated[
        tuple[Architecture, ...], Field(strict=False, min_length=1, max_length=2)
    ]
    """Processor architectures of the nodes. They are the default of `image.platforms`."""
    node_group: LabelValue | None = None
    """NodeGroup of KubeEdge whose nodes run the pods. Default: all edge nodes."""
    offline_seconds: Annotated[int, Field(ge=1, le=2_592_000)] | None = None
    """Seconds for which the pods stay on an offline node before they are replaced on another one.
    Default: none, they stay until the node is back."""
    internal_traffic_policy: Literal["Local", "Cluster"] = "Local"
    """`Local`: requests of a node's pods to the service reach its pods on this node only, so that
    they are answered while the node is offline. `Cluster`: they reach all of its pods."""


def with_edge_defaults(service: Any) -> Any:  # noqa: ANN401
    """A service as in a stack file, with the defaults of other keys that `workload.edge` changes.

    An offline node has no metrics to scale by, is small, and may have another architecture than the
    machine that builds the image. Returned as it is without `workload.edge`.
    """
    match service:
        case {"workload": {"edge": {"architectures": [*architectures]}} as workload}:
            known = [f"linux/{one}" for one in architectures if one in get_args(Architecture)]
            return {
                **service,
                "workload": {**workload, "resources": _resources(workload.get("resources", {}))},
                **_with_default(service, "autoscaling", "enabled", False),
                **_with_default(service, "image", "platforms", known),
            }
    return service


def _resources(given: Any) -> Any:  # noqa: ANN401
    if not isinstance(given, dict):
        return given
    known = {
        key: {**amounts, **part}
        for key, amounts in _RESOURCES.items()
        if isinstance(part := given.get(key, {}), dict)
    }
    return {**given, **known}


def _with_default(service: Mapping[str, Any], section: str, key: str, value: object) -> Any:  # noqa: ANN401
    given = service.get(section, {})
    return {section: {key: value, **given}} if isinstance(given, dict) else {}
