"""Arguments that the components of observability share."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from components.observability.monitored_service import MonitoredService
from settings import Network, ObservabilitySettings


class ObservabilityArgs(TypedDict):
    """Arguments of :class:`Observability` and of its components."""

    settings: ObservabilitySettings
    network: Network
    """Namespaces of the monitoring servers and of the proxy."""
    namespace: str
    """Namespace of the services."""
    services: Sequence[MonitoredService]
    """Services to monitor, with different names."""
    has_external_secrets: NotRequired[bool]
    """True: External Secrets runs in the namespace of the services. Default: false."""
    cert_manager: NotRequired[str | None]
    """Namespace of the cert-manager that issues the services' certificates. Default: none."""
