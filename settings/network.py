"""``slipway:network``."""

from typing import Annotated

from pydantic import Field

from settings.section import Section
from settings.string_formats import Cidr, DnsLabel

_PRIVATE_CIDRS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


class Network(Section):
    """Peers that network policies allow. All other traffic is denied."""

    proxy_namespace: DnsLabel = "ingress"
    """Namespace of the proxies that serve Ingresses or Gateways."""
    monitoring_namespace: DnsLabel = "monitoring"
    """Namespace of Prometheus. With `observability.mode: bundled` it is created by the stack."""
    knative_namespace: DnsLabel = "knative-serving"
    """Namespace of Knative Serving, whose activator and autoscaler connect to the pods of services
    with `workload.kind: knative`."""
    node_cidrs: Annotated[
        tuple[Cidr, ...], Field(alias="nodeCIDRs", strict=False, min_length=1, max_length=50)
    ] = _PRIVATE_CIDRS
    """IP blocks of the nodes and of the API server, which have no labels to select them by.
    Monitoring servers that use the Kubernetes API connect to ports 443 and 6443 in them, Prometheus
    also to 10250. Add the address of an API server that has a public one."""
