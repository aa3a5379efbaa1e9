"""Where the service sends its spans."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from components.observability.addresses import COLLECTOR, port_of
from components.peer import Peer
from settings import Settings

_SHORTEST = 2
"""Labels of the shortest name that leads into another namespace: Service and namespace."""


@dataclass(frozen=True)
class TraceReceiver:
    """An OTLP/HTTP receiver."""

    url: str
    peer: Peer
    """Who answers, as far as the URL tells: a namespace's pods, or anybody."""

    @classmethod
    def of(cls, settings: Settings) -> "TraceReceiver | None":
        """The stack's. ``None``: it traces nothing."""
        observability = settings.observability
        match observability.mode:
            case "bundled":
                namespace = settings.network.monitoring_namespace
                return cls(COLLECTOR.url(namespace), COLLECTOR.peer(namespace))
            case "operator" if url := observability.operator.collector:
                return cls(url.rstrip("/"), Peer(_namespace_in(url), (port_of(url),)))
        return None


def _namespace_in(url: str) -> str | None:
    labels = (urlsplit(url).hostname or "").split(".")
    is_service = len(labels) == _SHORTEST or labels[_SHORTEST : _SHORTEST + 1] == ["svc"]
    return labels[1] if is_service else None
