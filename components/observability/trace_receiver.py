"""Where the service sends its spans."""

from dataclasses import dataclass

from components.network_peer import NetworkPeer, peers_for_url
from components.observability.addresses import COLLECTOR
from settings import Settings


@dataclass(frozen=True)
class TraceReceiver:
    """An OTLP/HTTP receiver."""

    url: str
    peers: tuple[NetworkPeer, ...]
    """Who answers, as far as the URL tells."""

    @classmethod
    def of(cls, settings: Settings) -> "TraceReceiver | None":
        """The stack's. ``None``: it traces nothing."""
        observability = settings.observability
        match observability.mode:
            case "bundled":
                namespace = settings.network.monitoring_namespace
                return cls(COLLECTOR.url(namespace), (COLLECTOR.peer(namespace),))
            case "operator" if url := observability.operator.otlp_endpoint:
                return cls(url.rstrip("/"), peers_for_url(url, settings.namespace.name))
        return None
