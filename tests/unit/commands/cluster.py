"""A stand-in for `kubectl`, and behind it for the servers: it answers as a test says."""

import json
import os
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rich.console import Console

from commands.monitoring import Monitoring
from components.observability.addresses import Address
from tests.unit.stacks import settings

KUBECTL = f"""\
#!{sys.executable}
import json, pathlib, sys, time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer

here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
command = next(word for word in sys.argv[1:] if word in ("proxy", "port-forward", "get"))
if command != "proxy":
    said = json.loads((here / "says").read_text())[command]
    print(said["out"], flush=True)
    print(said["error"], file=sys.stderr)
    sys.exit(said["code"])

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with (here / "asked").open("a") as asked:
            asked.write(self.path + "\\n")
        for start, part, status, body in json.loads((here / "answers").read_text()):
            if self.path.startswith(start) and part in self.path:
                break
        else:
            status, body = 404, "nothing is said of " + self.path
        self.send_response(status)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())
    def log_message(self, *arguments):
        pass

class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

socket = next(word[14:] for word in sys.argv if word.startswith("--unix-socket"))
Server(socket, Handler).serve_forever()
"""


@dataclass(frozen=True)
class Cluster:
    """What the stand-in says, and what it was asked."""

    folder: Path

    def __post_init__(self) -> None:
        kubectl = self.folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (self.folder / "answers").write_text("[]")

    def monitoring(self, **observability: Any) -> Monitoring:
        """The servers of a stack with these settings; to be entered."""
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        stack = settings(observability={"mode": "bundled", **observability})
        return Monitoring(stack, {"PATH": path})

    def answer(
        self, server: Address, path: str, body: object, *, status: int = 200, asked: str = ""
    ) -> None:
        """What is said to a path from now on, where the whole URL holds ``asked``."""
        answers = json.loads((self.folder / "answers").read_text())
        service = f"/api/v1/namespaces/monitoring/services/{server.server}:{server.port}/proxy"
        answers.insert(0, [f"{service}{path}?", asked, status, body])
        (self.folder / "answers").write_text(json.dumps(answers))

    def says(self, command: str, out: str, error: str = "", code: int = 0) -> None:
        """What another call of `kubectl` prints."""
        said = {"out": out, "error": error, "code": code}
        (self.folder / "says").write_text(json.dumps({command: said}))

    def calls(self) -> list[list[str]]:
        """The arguments of each call of `kubectl`."""
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def asked(self) -> list[dict[str, str]]:
        """The parameters of each request."""
        lines = (self.folder / "asked").read_text().splitlines()
        return [{k: v[0] for k, v in parse_qs(urlsplit(line).query).items()} for line in lines]


def printed(console: Console) -> str:
    """What was printed so far."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def vector(*series: tuple[dict[str, str], float]) -> dict[str, Any]:
    """Prometheus' answer to an instant query."""
    result = [{"metric": labels, "value": [1, str(value)]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def matrix(*series: tuple[dict[str, str], list[float]]) -> dict[str, Any]:
    """Prometheus' answer to a query over time."""
    result = [
        {"metric": labels, "values": [[at, str(value)] for at, value in enumerate(values)]}
        for labels, values in series
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}
