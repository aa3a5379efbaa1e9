"""HTTP server that records the requests of notifications."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any


@dataclass
class Reply:
    """Response to a request."""

    status: int = 200
    body: str = "ok"
    seconds: float = 0
    """Time until the response."""
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class HttpReceiver:
    """A server on 127.0.0.1. It replies with ``replies`` in turn, and then with ``default``."""

    port: int = 0
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers and JSON body of each request."""
    replies: list[Reply] = field(default_factory=list[Reply])
    default: Reply = field(default_factory=Reply)

    def url(self, path: str) -> str:
        """URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies, oldest first."""
        return [body for _, _, body in self.requests]


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Start a server, and end it."""
    receiver, lock = HttpReceiver(), Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                receiver.requests.append((self.path, dict(self.headers), json.loads(body)))
                reply = receiver.replies.pop(0) if receiver.replies else receiver.default
            time.sleep(reply.seconds)
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body.encode())
            except OSError:
                return  # the client has not waited

        def log_message(self, format: str, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
