"""Arguments that the components of observability share."""

from typing import TypedDict

from components.observability.slo import Slo
from settings import Network, ObservabilitySettings, Service


class ObservabilityArgs(TypedDict):
    """Arguments of :class:`Observability` and of its components."""

    settings: ObservabilitySettings
    network: Network
    """Namespaces of the monitoring servers and of the proxy."""
    service: Service
    """Service to monitor."""
    slo: Slo
    """Its service level objective, with its name and namespace."""
