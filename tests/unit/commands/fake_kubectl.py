"""A stand-in for `kubectl`, and behind it for the servers: it answers as a test says."""

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

# It listens on a free port, whatever it is asked for: tests run beside each other.
KUBECTL = f"""\
#!{sys.executable}
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
command = next(word for word in sys.argv[1:] if word in ("port-forward", "get"))
says = json.loads((here / "says").read_text())
if command in says:
    said = says[command]
    print(said["out"], end="", flush=True)
    print(said["error"], file=sys.stderr)
    sys.exit(said["code"])

service, ports = sys.argv[-2:]
server = service.removeprefix("service/") + ":" + ports.partition(":")[2]

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        print("Handling connection for", port, flush=True)
        with (here / "asked").open("a") as asked:
            asked.write(self.path + "\\n")
        for start, part, status, body in json.loads((here / "answers").read_text()):
            if (server + self.path).startswith(start) and part in self.path:
                break
        else:
            status, body = 404, "nothing is said of " + self.path
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
with (here / "forwards").open("a") as forwards:
    forwards.write(json.dumps([server, os.getpid(), port]) + "\\n")
print(f"Forwarding from 127.0.0.1:{{port}} -> {{ports.partition(':')[2]}}", flush=True)
listening.serve_forever()
"""


@dataclass(frozen=True)
class Forward:
    """One port-forward of the stand-in."""

    server: str
    """With its port."""
    process: int
    port: int

    def is_open(self) -> bool:
        """Whether the port of this machine takes connections."""
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass(frozen=True)
class Cluster:
    """What the stand-in says, and what it was asked."""

    folder: Path

    def __post_init__(self) -> None:
        kubectl = self.folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        (self.folder / "answers").write_text("[]")
        (self.folder / "says").write_text("{}")

    def client(self, **observability: Any) -> ObservabilityClient:
        """The servers of a stack with these settings; to be entered."""
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        stack = settings(observability={"mode": "bundled", **observability})
        return ObservabilityClient(stack, {"PATH": path})

    def answer(
        self, server: Address, path: str, body: object, *, status: int = 200, asked: str = ""
    ) -> None:
        """What is said to a path from now on, where the whole URL holds ``asked``.

        With status 0 nothing is: the connection is lost, and its `kubectl` ends.
        """
        answers = json.loads((self.folder / "answers").read_text())
        answers.insert(0, [f"{server.server}:{server.port}{path}?", asked, status, body])
        (self.folder / "answers").write_text(json.dumps(answers))

    def says(self, command: str, out: str, error: str = "", code: int = 0) -> None:
        """What a call of `kubectl` prints before it ends."""
        said = json.loads((self.folder / "says").read_text())
        said[command] = {"out": out, "error": error, "code": code}
        (self.folder / "says").write_text(json.dumps(said))

    def calls(self) -> list[list[str]]:
        """The arguments of each call of `kubectl`."""
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def forwards(self) -> list[Forward]:
        """Each port-forward that was opened, the newest last."""
        lines = (self.folder / "forwards").read_text().splitlines()
        return [Forward(*json.loads(line)) for line in lines]

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
