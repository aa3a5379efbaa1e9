"""``slipway:flagger``."""

from settings.resources import OPERATOR_RESOURCES, ResourceRequirements
from settings.section import Section


class FlaggerSettings(Section):
    """Flagger, which controls the releases of services with strategy `progressive`."""

    enabled: bool = True
    """Deploys Flagger into the stack's namespace, if a service needs it. Disable it if a Flagger of
    the cluster watches this namespace."""
    resources: ResourceRequirements = OPERATOR_RESOURCES
    """Resources of Flagger, and of its load tester."""
