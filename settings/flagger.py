"""``slipway:flagger``."""

from settings.resources import ResourceList, ResourceRequirements
from settings.section import Section


class FlaggerSettings(Section):
    """Flagger, which controls the releases of services with strategy `progressive`."""

    enabled: bool = True
    """Deploys Flagger into the stack's namespace, if a service needs it. Disable it if a Flagger of
    the cluster watches this namespace."""
    resources: ResourceRequirements = ResourceRequirements(
        requests=ResourceList(cpu="10m", memory="32Mi"),
        limits=ResourceList(cpu="500m", memory="256Mi"),
    )
    """Resources of Flagger, and of its load tester."""
