"""A webhook receiver for the notifications of Alertmanager."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from local.layout import NODE_IP


@dataclass(frozen=True)
class Notification:
    """An alert of a notification."""

    path: str
    name: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    received: float
    """Time by ``time.monotonic``."""


class Receiver:
    """An HTTP server on the address of the node, which pods can reach."""

    def __init__(self) -> None:
        self.notifications: list[Notification] = []
        received = self.notifications

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.extend(_notifications(self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((NODE_IP, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://{NODE_IP}:{self._server.server_port}{path}"

    def first(self, name: str, status: str, **labels: str) -> Notification | None:
        """Return the first notification of an alert with this status and these labels."""
        matching = (
            item
            for item in self.notifications
            if (item.name, item.status) == (name, status) and labels.items() <= item.labels.items()
        )
        return next(matching, None)


def _notifications(path: str, body: dict[str, Any]) -> list[Notification]:
    return [
        Notification(
            path,
            alert["labels"]["alertname"],
            alert["status"],
            alert["labels"],
            alert["annotations"],
            time.monotonic(),
        )
        for alert in body["alerts"]
    ]
