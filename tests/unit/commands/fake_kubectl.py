"""Fake `kubectl`, with port-forwards to fake servers; tests set the output and the responses."""

import json
import os
import socket
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rich.console import Console

from commands.observability_client import ObservabilityClient
from components.observability.addresses import Address
from tests.unit.stacks import settings

# It listens on a free port and ignores the requested one, because tests run in parallel. Tests
# start it often: it imports only what it needs.
KUBECTL = f"""\
#!{sys.executable} -S
import json, os, sys

here = os.path.dirname(__file__) + "/"
with open(here + "calls", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
with open(here + "outputs") as file:
    outputs = json.load(file)
line = " ".join(sys.argv[1:])
if "apply" in sys.argv:
    with open(here + "applied", "a") as applied:
        applied.write(json.dumps(json.loads(sys.stdin.read())) + "\\n")
if command := max((one for one in outputs if one in line), key=len, default=""):
    output = outputs[command]
    print(output["out"], end="", flush=True)
    print(output["error"], file=sys.stderr)
    sys.exit(output["code"])
if "port-forward" not in sys.argv:
    sys.exit(0)

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

service, ports = sys.argv[-2:]
server = service.removeprefix("service/") + ":" + ports.partition(":")[2]

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        with open(here + "requests", "a") as requests:
            requests.write(self.path + "\\n")
        self.respond(self.path)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(here + "posts", "a") as posts:
            posts.write(json.dumps([self.headers["Authorization"], json.loads(body)]) + "\\n")
        self.respond(self.path + "?")
    def respond(self, path):
        print("Handling connection for", port, flush=True)
        with open(here + "responses") as file:
            responses = json.load(file)
        for start, part, status, body in responses:
            if (server + path).startswith(start) and part in path:
                break
        else:
            status, body = 404, "no response for " + path
        if not status:
            print("error: lost connection to pod", file=sys.stderr, flush=True)
            os._exit(1)
        self.send_response(status)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())
    def log_message(self, *arguments):
        pass

listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
port = listening.server_port
with open(here + "forwards", "a") as forwards:
    forwards.write(json.dumps([server, os.getpid(), port]) + "\\n")
print(f"Forwarding from 127.0.0.1:{{port}} -> {{ports.partition(':')[2]}}", flush=True)
listening.serve_forever()
"""


@dataclass(frozen=True)
class Forward:
    """One port-forward of the fake `kubectl`."""

    server: str
    """Name and port."""
    process: int
    port: int

    def is_open(self) -> bool:
        """True if the local port accepts connections."""
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass(frozen=True)
class Cluster:
    """Output and responses of the fake `kubectl`, and its recorded calls."""

    folder: Path

    def __post_init__(self) -> None:
        kubectl = self.folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (self.folder / "responses").write_text("[]")
        (self.folder / "outputs").write_text("{}")

    def client(self, **observability: Any) -> ObservabilityClient:
        """Client of a stack with these settings; not yet entered."""
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        stack = settings(observability={"mode": "bundled", **observability})
        return ObservabilityClient(stack, {"PATH": path})

    def respond(
        self, server: Address, path: str, body: object, *, status: int = 200, containing: str = ""
    ) -> None:
        """Set the response to requests of a path whose URL contains ``containing``.

        With status 0 the connection is closed and its `kubectl` ends.
        """
        responses = json.loads((self.folder / "responses").read_text())
        responses.insert(0, [f"{server.server}:{server.port}{path}?", containing, status, body])
        (self.folder / "responses").write_text(json.dumps(responses))

    def kubectl_prints(self, command: str, out: str, error: str = "", code: int = 0) -> None:
        """Set the output of the `kubectl` commands that contain these words.

        With several, the longest one counts.
        """
        outputs = json.loads((self.folder / "outputs").read_text())
        outputs[command] = {"out": out, "error": error, "code": code}
        (self.folder / "outputs").write_text(json.dumps(outputs))

    def applied(self) -> list[dict[str, Any]]:
        """The manifests of each `kubectl apply`."""
        file = self.folder / "applied"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def calls(self) -> list[list[str]]:
        """The arguments of each call of `kubectl`."""
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def forwards(self) -> list[Forward]:
        """The port-forwards, oldest first."""
        lines = (self.folder / "forwards").read_text().splitlines()
        return [Forward(*json.loads(line)) for line in lines]

    def requests(self) -> list[dict[str, str]]:
        """The parameters of each request."""
        lines = (self.folder / "requests").read_text().splitlines()
        return [{k: v[0] for k, v in parse_qs(urlsplit(line).query).items()} for line in lines]

    def posts(self) -> list[tuple[str, Any]]:
        """The credentials and the body of each POST request."""
        file = self.folder / "posts"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(credentials, body) for credentials, body in map(json.loads, lines)]


def printed(console: Console) -> str:
    """Output of the console."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def vector(*series: tuple[dict[str, str], float]) -> dict[str, Any]:
    """Response of Prometheus to an instant query."""
    result = [{"metric": labels, "value": [1, str(value)]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def matrix(*series: tuple[dict[str, str], list[float]]) -> dict[str, Any]:
    """Response of Prometheus to a range query."""
    result = [
        {"metric": labels, "values": [[at, str(value)] for at, value in enumerate(values)]}
        for labels, values in series
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}
