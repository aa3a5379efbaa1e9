"""Secret values are only where they belong: every other place is searched for marked values.

The values are planted in every setting that takes a secret, all commands run, and then each place
is searched. Each place must have a text that is known to be there, so that a search which reads
nothing fails.
"""

import base64
import gzip
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest

from local import registry
from local.layout import Layout
from tests.cluster.project import Project, wait_until
from tests.cluster.sops_file import AgeKey

pytestmark = pytest.mark.timeout(600)

SAMPLE_SECONDS = 0.02
SAMPLES = 5
"""Of one process: a program replaces itself by others."""


def marked(name: str) -> str:
    return f"marked-{name}-{secrets.token_hex(8)}"


def encodings(value: str) -> Iterator[bytes]:
    """Yield a value as it can be written: plain, in JSON and URLs, and in Base64 at any place."""
    yield value.encode()
    yield json.dumps(value)[1:-1].encode()
    yield quote(value, safe="").encode()
    for one in _base64(value.encode()):
        yield one
        yield from _base64(one)  # a Docker configuration in a Secret


def _base64(value: bytes) -> Iterator[bytes]:
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value)
        # The first and the last characters depend on the text around the value.
        yield encoded[4 if offset else 0 : -4]


class Watch(Thread):
    """Reads arguments, environment and temporary files of all processes that start meanwhile."""

    def __init__(self, temporary: Path) -> None:
        super().__init__(daemon=True)
        self.arguments: set[bytes] = set()
        self.environments: set[bytes] = set()
        self.files: set[bytes] = set()
        self._temporary = temporary
        self._samples: dict[tuple[int, float], int] = {
            (one.pid, one.create_time()): SAMPLES for one in psutil.process_iter()
        }
        self._ended = Event()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for process in psutil.process_iter():
                with suppress(psutil.Error, OSError):
                    self._read(process)
            with suppress(OSError):
                self.files.update(contents(self._temporary))

    def _read(self, process: psutil.Process) -> None:
        key = (process.pid, process.create_time())
        if self._samples.get(key, 0) >= SAMPLES:
            return
        self._samples[key] = self._samples.get(key, 0) + 1
        folder = Path(f"/proc/{process.pid}")
        environment = (folder / "environ").read_bytes()
        # A pod has the secrets in its environment that its settings name.
        if b"KUBERNETES_SERVICE_HOST=" not in environment:
            self.environments.add(environment)
        self.arguments.add((folder / "cmdline").read_bytes())

    def end(self) -> None:
        self._ended.set()
        self.join(timeout=10)


class Receiver(BaseHTTPRequestHandler):
    """Receiver of notifications."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Place:
    """Everything that was written to a place, and a text that must be among it."""

    contents: list[bytes]
    control: bytes

    def found(self, values: Mapping[str, str]) -> set[str]:
        """Names of the values that are in the place."""
        whole = b"\0".join(self.contents)
        return {
            name
            for name, value in values.items()
            if any(encoded in whole for encoded in encodings(value))
        }


@dataclass
class Run:
    """All commands on a stack with planted values, and the places that they wrote to."""

    project: Project
    values: dict[str, str]
    output: list[bytes] = field(default_factory=list[bytes])
    errors: list[bytes] = field(default_factory=list[bytes])

    def make(self, target: str, *variables: str) -> None:
        result = self.project.make(target, *variables)
        self.output.append(f"{target}\n{result.stdout}\n{result.stderr}".encode())

    def ends(self, target: str, *variables: str) -> None:
        """Run a target whatever its exit code is."""
        result = self.project.run("make", target, f"STACK={self.project.stack}", *variables)
        self.output.append(f"{target}\n{result.stdout}\n{result.stderr}".encode())

    def fails(self, target: str, *variables: str) -> None:
        result = self.project.make_fails(target, *variables)
        self.errors.append(f"{target}\n{result.stdout}\n{result.stderr}".encode())

    def set_secret(self, path: str, name: str) -> None:
        subprocess.run(
            ["pulumi", "config", "set", "--secret", "--path", path, "--stack", self.project.stack],
            cwd=self.project.folder,
            env=dict(self.project.environment),
            input=self.values[name],
            capture_output=True,
            text=True,
            check=True,
        )


SERVICE = "slipway:services.beacon"
SECRETS = {
    "value": f"{SERVICE}.secrets.licence",
    "asEnv": f"{SERVICE}.secrets.database.value",
    "onRelease": f"{SERVICE}.secrets.session.value",
    "env": f"{SERVICE}.env.API_KEY.secret",
    "build": f"{SERVICE}.image.build.secrets.token",
    "registry": "slipway:registry.credentials.password",
    "webhook": "slipway:notifications.webhook",
    "slack": "slipway:notifications.slack.webhook",
}
"""Secrets of the stack file, by the name of the value."""
IN_CLUSTER = ("value", "asEnv", "onRelease", "env", "registry", "sops", "generated")
"""Values that Secrets in the cluster must have."""


@pytest.fixture(scope="module")
def places(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Place], dict[str, str]]:
    folder = tmp_path_factory.mktemp("secrets")
    key = AgeKey.generate(folder, project.environment)
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {**project.environment, **key.variables, "TMPDIR": str(temporary)}
    project = replace(project, environment=environment)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    _, _, password = (
        base64.b64decode(registry.authorization(Layout()).removeprefix("Basic "))
        .decode()
        .partition(":")
    )
    run = Run(
        project,
        {
            **{name: marked(name) for name in (*SECRETS, "sops", "sopsUnused")},
            "webhook": f"{url}/{marked('webhook')}",
            "slack": f"{url}/{marked('slack')}",
            "registry": password,
        },
    )
    key.encrypt(
        project.folder / "secrets.test.yaml",
        {"token": run.values["sops"], "unused": run.values["sopsUnused"]},
    )
    _configure(project)
    watch = Watch(temporary)
    started = time.time()
    project.run("pulumi", "stack", "init", project.stack)
    for name, path in SECRETS.items():
        run.set_secret(path, name)
    watch.start()
    _run_commands(run)
    cluster = project.kubectl("get", "secrets", "--output=json")
    objects = project.kubectl(
        *("get", "configmaps,deployments,replicasets,pods,services,ingresses,hpa,events"),
        "--output=yaml",
    )
    logs = project.kubectl("logs", "--selector=app.kubernetes.io/name=beacon", "--prefix")
    exported = project.run("pulumi", "stack", "export", "--stack", project.stack).stdout
    run.values["generated"] = _generated(project)
    layers = [*image_contents(f"slipway/{project.stack}", run)]
    run.make("down")
    watch.end()
    server.shutdown()
    state = Path(project.environment["PULUMI_BACKEND_URL"].removeprefix("file://").split("?")[0])
    out = project.folder / "out"
    found = {
        "output of the commands": Place(run.output, project.stack.encode()),
        "error messages": Place(run.errors, b"error: "),
        "rendered manifests": Place([*contents(out / "rendered")], b"beacon-licence"),
        "reports and plans": Place([*contents(out)], b'"resourcePlans"'),
        "stack file": Place([project.file.read_bytes()], b"secure:"),
        "state and history": Place(
            [exported.encode(), *contents(state, f"*{project.stack}*")],
            b"4dabf18193072939515e22adb298388d",
        ),
        "logs of Pulumi": Place(
            [*contents(Path(project.environment["PULUMI_HOME"]) / "logs", "*", started)], b"pulumi"
        ),
        "arguments of processes": Place([*watch.arguments], project.stack.encode()),
        "environments of processes": Place([*watch.environments], os.fsencode(temporary)),
        "temporary files": Place([*watch.files, *contents(temporary)], os.fsencode(temporary)),
        "image": Place(layers, b"main.main"),
        "objects other than Secrets": Place([objects.encode()], b"beacon-licence"),
        "logs of the pods": Place([logs.encode()], b"beacon"),
    }
    secrets_of_cluster = Place([cluster.encode()], b"beacon-licence")
    assert secrets_of_cluster.found(run.values) >= set(IN_CLUSTER)
    return found, run.values


def _configure(project: Project) -> None:
    """Settings beside the secrets."""
    with project.config() as config:
        config["slipway:registry"]["credentials"] = {"username": "slipway"}
        config["slipway:notifications"] = {"slack": {}}
    reason = "The client reads only the environment."
    with project.service() as service:
        service["secrets"] |= {
            "database": {"as": "env", "variable": "DATABASE_PASSWORD", "reason": reason},
            "session": {"onChange": "release"},
            "payment": {"sops": {"file": "secrets.test.yaml", "key": "token"}},
        }
    dockerfile = project.folder / "app/Dockerfile"
    text = dockerfile.read_text()
    step = "RUN --mount=type=secret,id=token test -s /run/secrets/token\n\nFROM scratch"
    dockerfile.write_text(text.replace("FROM scratch", step))


def _run_commands(run: Run) -> None:
    run.make("secrets")
    run.make("render", "OUT=out/rendered")
    run.make("preview", "ARGS=--diff --save-plan out/plan.json")
    run.make("up")
    run.make("status")
    run.make("canary", "VERSION=1.1.0", "WEIGHT=10")
    run.make("history")
    run.make("preview", "ARGS=--diff --refresh")
    run.ends("ci-drift", "OUT=out/drift.md")
    run.make("rollback")
    run.make("image", "OUT=out/images")
    run.make("notify", "TEXT=the job")
    for options in ("--logtostderr -v=9", "--tracing=file:out/trace", "--show-secrets"):
        run.fails("preview", f"ARGS={options}")
    with run.project.restored_config():
        with run.project.service() as service:
            service["secrets"]["payment"]["sops"]["key"] = "absent"
        run.fails("preview")
    with run.project.edited("app/Dockerfile", "test -s", "! cat"):
        run.fails("image", "OUT=out/failed")


def _generated(project: Project) -> str:
    text = project.run("pulumi", "stack", "export", "--show-secrets", "--stack", project.stack)
    for resource in json.loads(text.stdout)["deployment"]["resources"]:
        if resource["type"] == "random:index/randomPassword:RandomPassword":
            return json.loads(resource["outputs"]["result"]["plaintext"])
    raise AssertionError("no generated value in the state")


def contents(folder: Path, pattern: str = "*", since: float = 0) -> Iterator[bytes]:
    """Yield path and content of the files below a folder that match, decompressed."""
    for file in folder.rglob("*"):
        is_selected = file.match(pattern) or file.parent.match(pattern)
        # A symbolic link may lead to a file in memory.
        is_stored = file.is_file() and not file.is_symlink()
        if is_selected and is_stored and file.stat().st_mtime >= since:
            content = file.read_bytes()
            with suppress(OSError, EOFError):
                content = gzip.decompress(content)
            yield b"%s\n%s" % (os.fsencode(file), content)


def image_contents(repository: str, run: Run) -> Iterator[bytes]:
    """Yield manifests, configuration and layers of all images in a repository."""
    url = f"http://localhost:5000/v2/{repository}"
    media = "application/vnd.oci.image"
    headers = {
        "Authorization": registry.authorization(Layout()),
        "Accept": f"{media}.manifest.v1+json, {media}.index.v1+json",
    }
    with httpx.Client(headers=headers) as client:
        queue: list[tuple[str, str]] = [
            ("manifests", tag) for tag in client.get(f"{url}/tags/list").json()["tags"]
        ]
        while queue:
            kind, reference = queue.pop()
            content = client.get(f"{url}/{kind}/{reference}").raise_for_status().content
            with suppress(OSError):
                content = gzip.decompress(content)
            yield content
            if kind == "manifests":
                queue += [*_references(json.loads(content))]


def _references(manifest: Any) -> Iterator[tuple[str, str]]:
    for one in manifest.get("manifests", ()):
        yield "manifests", one["digest"]
    for one in (*manifest.get("layers", ()), manifest.get("config")):
        if one:
            yield "blobs", one["digest"]


PLACES = (
    *("output of the commands", "error messages", "rendered manifests", "reports and plans"),
    *("stack file", "state and history", "logs of Pulumi", "arguments of processes"),
    *("environments of processes", "temporary files", "image", "objects other than Secrets"),
    "logs of the pods",
)


@pytest.mark.parametrize("name", PLACES)
def test_a_place_has_no_secret_value(
    name: str, places: tuple[dict[str, Place], dict[str, str]]
) -> None:
    place, values = places[0][name], places[1]
    assert place.control in b"\0".join(place.contents), "the search reads nothing"
    assert len(values) >= 10
    assert place.found(values) == set()


@pytest.mark.parametrize("encoding", ["plain", "base64", "docker"])
def test_the_search_finds_a_value_in_any_encoding(encoding: str) -> None:
    value = marked("control")
    texts = {
        "plain": f"x{value}y",
        "base64": base64.b64encode(f"robot:{value}\n".encode()).decode(),
        "docker": base64.b64encode(
            json.dumps({"auth": base64.b64encode(f"robot:{value}".encode()).decode()}).encode()
        ).decode(),
    }
    assert Place([texts[encoding].encode()], b"").found({"control": value}) == {"control"}


def test_the_watch_sees_arguments_environment_and_temporary_files(tmp_path: Path) -> None:
    values = {name: marked(name) for name in ("argument", "environment", "file")}
    watch = Watch(tmp_path)
    watch.start()
    (tmp_path / "file").write_text(values["file"])
    with subprocess.Popen(
        ["sh", "-c", f"read -r _; : {values['argument']}"],
        env={**os.environ, "VALUE": values["environment"]},
        stdin=subprocess.PIPE,
    ):
        seen = (watch.arguments, watch.environments, watch.files)
        wait_until("values", lambda: all(Place([*one], b"").found(values) for one in seen), 30, 0.1)
    (tmp_path / "file").unlink()
    watch.end()
    assert Place([*watch.arguments], b"").found(values) == {"argument"}
    assert Place([*watch.environments], b"").found(values) == {"environment"}
    assert Place([*watch.files], b"").found(values) == {"file"}
