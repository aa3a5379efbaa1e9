"""Annotations in the Grafana of a stack."""

from base64 import b64encode
from collections.abc import Mapping

from commands.dashboards import grafana_password
from commands.errors import CommandError
from commands.notifications.event import Event
from commands.notifications.receivers import ReceiverError, post
from commands.notifications.thread import ReleaseThread
from commands.observability_client import ObservabilityClient
from components.observability.addresses import GRAFANA
from components.observability.annotations import release_tags
from settings import Settings


class GrafanaAnnotations:
    """Annotations for promotions and rollbacks, which the dashboards show as vertical lines.

    The dashboards show the start of a version themselves.
    """

    name = "Grafana"

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._namespace = settings.namespace.name
        self._client = ObservabilityClient(settings, environment)

    def send(self, event: Event, thread: ReleaseThread) -> None:
        """Create an annotation. Raises :class:`ReceiverError`."""
        if event.service is None or event.event not in ("promotion", "rollback"):
            return
        try:
            with self._client as client:
                password = grafana_password(client)
                port = client.forward(GRAFANA).port
                credentials = b64encode(f"admin:{password}".encode()).decode()
                post(
                    f"http://127.0.0.1:{port}/api/annotations",
                    {
                        "time": int(event.time.timestamp() * 1000),
                        "tags": [*release_tags(self._namespace, event.service), event.event],
                        "text": f"{event.subject}: {event.summary}",
                    },
                    {"Authorization": f"Basic {credentials}"},
                    is_loopback=True,
                )
        except CommandError as error:
            raise ReceiverError(str(error).partition("\n")[0]) from None

    def close(self) -> None:
        """End the port-forward."""
        self._client.__exit__()
