"""``slipway:certManager``."""

from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section
from settings.string_formats import OwnNamespace


class CertManagerSettings(Section):
    """cert-manager, which issues and renews the certificates of services with TLS."""

    enabled: bool = True
    """Deploys cert-manager into a namespace of its own, if a service needs it. It serves the whole
    cluster: disable it if another stack or the cluster itself has one."""
    namespace: OwnNamespace = "cert-manager"
    """Namespace of cert-manager. It is created by the stack."""
    resources: ResourceRequirements = ResourceRequirements(
        requests=ResourceList(cpu="10m", memory="64Mi"),
        limits=ResourceList(cpu="500m", memory="256Mi"),
    )
    """Resources of the controller."""
