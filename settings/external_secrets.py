"""``slipway:externalSecrets``."""

from typing import Literal

from settings.resources import OPERATOR_RESOURCES, ResourceRequirements
from settings.section import Section


class ExternalSecretsSettings(Section):
    """External Secrets, which copies values of `secretStores` into Secrets."""

    enabled: bool = True
    """Deploys External Secrets into the stack's namespace, if the stack has `secretStores`. Disable
    it if another one, such as that of a stack with `scope: cluster`, watches this namespace."""
    scope: Literal["namespace", "cluster"] = "namespace"
    """Namespaces that it watches: that of the stack only, or all. With `cluster`, it may read and
    write all Secrets of the cluster."""
    reloader: bool = False
    """Stakater's Reloader runs in the cluster: an external secret may have `onChange: restart`."""
    resources: ResourceRequirements = OPERATOR_RESOURCES
    """Resources of its pod."""
