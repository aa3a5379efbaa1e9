"""``slipway:mesh``."""

from typing import Literal

from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section
from settings.string_formats import DnsLabel, HostName

MutualTls = Literal["strict", "permissive"]


class IstioSettings(Section):
    """Istio, with a sidecar in each pod of the services. The cluster has istiod, and Istio's CNI
    node agent: without it, a sidecar needs capabilities that Pod Security `restricted` refuses."""

    namespace: DnsLabel = "istio-system"
    """Namespace of istiod."""
    revision: DnsLabel | None = None
    """Revision of the istiod that injects the sidecars. Default: the default revision."""
    trust_domain: HostName = "cluster.local"
    """Trust domain of the mesh, which the identities of callers begin with."""
    mutual_tls: MutualTls = "strict"
    """`strict` refuses connections without mutual TLS, and those of callers that are neither the
    proxy nor in `peers`. `permissive` accepts both: for a change between a mesh and none in a stack
    whose services connect to each other."""
    sidecar_resources: ResourceRequirements = ResourceRequirements(
        requests=ResourceList(cpu="20m", memory="64Mi"),
        limits=ResourceList(cpu="500m", memory="256Mi"),
    )
    """Resources of each sidecar. They are part of the namespace's resource quota."""


class MeshSettings(Section):
    """Service mesh of the services."""

    istio: IstioSettings | None = None
    """Default: none, the pods have no sidecar."""
