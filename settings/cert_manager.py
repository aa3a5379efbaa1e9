"""``slipway:certManager``."""

from settings.acme import AcmeSettings
from settings.resources import OPERATOR_RESOURCES, ResourceList, ResourceRequirements
from settings.section import Section
from settings.string_formats import OwnNamespace

SOLVER_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="64Mi"),
    limits=ResourceList(cpu="100m", memory="64Mi"),
)
"""Resources that cert-manager gives to a pod that answers an HTTP-01 challenge."""


class CertManagerSettings(Section):
    """cert-manager, which issues and renews the certificates of services with TLS."""

    enabled: bool = True
    """Deploys cert-manager into a namespace of its own, if a service needs it. It serves the whole
    cluster: disable it if another stack or the cluster itself has one."""
    namespace: OwnNamespace = "cert-manager"
    """Namespace of cert-manager. It is created by the stack, if `enabled`."""
    acme: AcmeSettings | None = None
    """ACME server of the services with the TLS mode `acme`."""
    gateway_api: bool = False
    """Answers HTTP-01 challenges over Gateways, of services of other stacks too. Always true if a
    service of this stack needs it. The cluster needs the Gateway API's CustomResourceDefinitions.
    """
    resources: ResourceRequirements = OPERATOR_RESOURCES
    """Resources of the controller."""
