"""An API server that gives the answers it was told to."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any]]


def discovery(*kinds: str, group: str = "") -> dict[str, Any]:
    resources = [
        {"responseKind": {"kind": kind}, "resource": f"{kind.lower()}s", "scope": "Namespaced"}
        for kind in kinds
    ]
    versions = [{"version": "v1", "resources": resources}]
    return {
        "kind": "APIGroupDiscoveryList",
        "items": [{"metadata": {"name": group}, "versions": versions}],
    }


class Server(ThreadingHTTPServer):
    """Answers each request with the next of the answers for it; with the last ever after."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        """Of the requests that have one."""


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        assert isinstance(self.server, Server)
        if body := self.rfile.read(int(self.headers.get("Content-Length", 0))):
            self.server.bodies.append(json.loads(body))
        path = self.path.partition("?")[0]
        self.server.requests.append(f"{self.command} {self.path}")
        queue = self.server.answers.get(path) or [(404, {"message": f"{path} not found"})]
        status, body = queue.pop(0) if len(queue) > 1 else queue[0]
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = do_DELETE = answer  # noqa: N815 # the standard library's names

    def log_message(self, format: str, *args: Any) -> None:
        pass
