"""The unmodified Pulumi CLI with the language host and the providers `random` and `docker-build`.

Each test has a project, a backend and a Pulumi home of its own. Downloads are left switched on: a
plugin that the CLI missed would be looked for on the network, and the test would fail.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from plugins.install import install
from tests.cluster.project import wait_until

REGISTRY = "localhost:5000"

PASSWORD = """
import pulumi
import pulumi_random as random

config = pulumi.Config()
password = random.RandomPassword("password", length=config.get_int("length") or 20)
pulumi.export("password", password.result)
pulumi.export("hash", password.bcrypt_hash)
pulumi.export("given", config.get_secret("given"))
pulumi.export("stack", pulumi.get_stack())
print("the program is running", flush=True)
"""

IMAGE = """
import pulumi
import pulumi_docker_build as build

image = build.Image(
    "image",
    context={"location": "app"},
    tags=[pulumi.Config().require("tag")],
    secrets={"token": "hunter2hunter2"},
    build_on_preview=False,
    push=True,
)
pulumi.export("ref", image.ref)
pulumi.export("digest", image.digest)
"""

DOCKERFILE = """\
FROM golang:1.26
COPY . /
RUN --mount=type=secret,id=token sh /step
"""


class Stack:
    """A throw-away project with one stack."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.home = folder.parent / "pulumi"
        (folder.parent / "state").mkdir()
        self.environment = {
            **environment,
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": f"file://{folder.parent}/state",
            "PULUMI_CONFIG_PASSPHRASE": "test",
        }
        for name in (
            "PULUMI_CONFIG_PASSPHRASE_FILE",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
        ):
            self.environment.pop(name, None)
        install(self.home / "plugins", Path(sys.executable))
        (folder / "Pulumi.yaml").write_text(
            f"name: test\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
        )
        self.succeeds("stack", "init", "dev")

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(text)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def succeeds(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def fails(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.returncode != 0, result.stdout
        return result.stdout + result.stderr

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outputs(self) -> dict[str, str]:
        return json.loads(self.succeeds("stack", "output", "--json", "--show-secrets"))

    def up(self) -> str:
        return self.succeeds("up", "--yes", "--skip-preview")


@pytest.fixture
def stack(ground: Mapping[str, str], tmp_path: Path) -> Stack:
    folder = tmp_path / "project"
    folder.mkdir()
    return Stack(folder, ground)


def test_a_value_is_previewed_drawn_kept_and_destroyed(stack):
    stack.program(PASSWORD)
    stack.succeeds("config", "set", "--secret", "given", "hunter2")
    assert "2 to create" in stack.succeeds("preview")
    assert "2 created" in stack.up()
    first = stack.outputs()
    assert len(first["password"]) == 20
    assert first["given"] == "hunter2"
    assert first["stack"] == "dev"
    assert "2 unchanged" in stack.up()
    assert stack.outputs() == first
    assert "2 unchanged" in stack.succeeds("refresh", "--yes", "--skip-preview")
    stack.succeeds("config", "set", "length", "30")
    assert "1 replaced" in stack.up()
    assert len(stack.outputs()["password"]) == 30
    assert "2 deleted" in stack.succeeds("destroy", "--yes", "--skip-preview")


def test_no_secret_is_readable_in_the_state_or_the_output(stack):
    stack.program(PASSWORD)
    stack.succeeds("config", "set", "--secret", "given", "hunter2")
    shown = stack.up()
    values = stack.outputs()
    state = (stack.folder.parent / "state/.pulumi/stacks/test/dev.json").read_text()
    for secret in (values["password"], values["hash"], "hunter2"):
        assert secret not in shown
        assert secret not in state


def test_what_the_program_prints_is_shown(stack):
    stack.program(PASSWORD)
    assert "the program is running" in stack.up()


def test_no_plugin_is_looked_for_on_the_network(stack):
    stack.program(PASSWORD)
    stack.up()
    stack.succeeds("install")
    installed = {folder.name for folder in (stack.home / "plugins").iterdir()}
    install(stack.folder.parent / "expected", Path(sys.executable))
    assert installed == {folder.name for folder in (stack.folder.parent / "expected").iterdir()}


def test_a_run_error_is_one_diagnostic_without_a_traceback(stack):
    stack.program("import pulumi\nraise pulumi.RunError('image.port: 0 is not 1 to 65535')\n")
    shown = stack.fails("up", "--yes", "--skip-preview")
    diagnostics = shown.partition("Diagnostics:")[2]
    assert diagnostics.count("error:") == 1
    assert "error: image.port: 0 is not 1 to 65535" in diagnostics
    assert "Traceback" not in shown
    assert "exit code" not in shown


def test_an_exception_shows_the_programs_own_lines(stack):
    (stack.folder / "helper.py").write_text("def go():\n    return {}['absent']\n")
    stack.program("import helper\nhelper.go()\n")
    shown = stack.fails("preview")
    assert "Program failed with an unhandled exception" in shown
    assert "helper.go()" in shown
    assert "KeyError: 'absent'" in shown
    assert "runpy" not in shown


def test_a_bad_input_is_refused_before_anything_is_made(stack):
    stack.program("import pulumi_random as random\nrandom.RandomPassword('p', length=0)\n")
    assert "length must be at least 1, got 0" in stack.fails("up", "--yes", "--skip-preview")


def test_an_interrupted_program_ends_and_the_next_update_works(stack):
    ended = stack.folder / "ended"
    stack.program(
        "import pathlib, time\nprint('waiting', flush=True)\n"
        f"try: time.sleep(120)\nfinally: pathlib.Path({str(ended)!r}).touch()\n"
    )
    process = stack.start("up", "--yes", "--skip-preview")
    assert process.stdout
    while "waiting" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert "Traceback" not in process.stdout.read()
    wait_until("the program to end", ended.exists, seconds=10)
    stack.program(PASSWORD)
    assert "created" in stack.up()


# A policy pack by the protocol alone: pulumi-policy needs an older protobuf than the program.
POLICY_PACK = """
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import (
    AnalyzerServicer, add_AnalyzerServicer_to_server, analyzer_pb2, plugin_pb2)

class Pack(AnalyzerServicer):
    def Handshake(self, request, context):
        return analyzer_pb2.AnalyzerHandshakeResponse()
    def ConfigureStack(self, request, context):
        return analyzer_pb2.AnalyzerStackConfigureResponse()
    def Configure(self, request, context):
        return Empty()
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")
    def Analyze(self, request, context):
        if request.type.endswith(":RandomPassword") and request.properties["length"] < 40:
            return analyzer_pb2.AnalyzeResponse(diagnostics=[analyzer_pb2.AnalyzeDiagnostic(
                policyName="length", policyPackName="pack", policyPackVersion="1.0.0",
                message="the password is too short", urn=request.urn,
                enforcementLevel=analyzer_pb2.MANDATORY)])
        return analyzer_pb2.AnalyzeResponse()
    def AnalyzeStack(self, request, context):
        return analyzer_pb2.AnalyzeResponse()
    def Remediate(self, request, context):
        return analyzer_pb2.RemediateResponse()
    def GetAnalyzerInfo(self, request, context):
        return analyzer_pb2.AnalyzerInfo(name="pack", version="1.0.0", policies=[
            analyzer_pb2.PolicyInfo(name="length", enforcementLevel=analyzer_pb2.MANDATORY)])

server = grpc.server(ThreadPoolExecutor(8))
add_AnalyzerServicer_to_server(Pack(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
threading.Event().wait()
"""


def test_a_policy_pack_stops_a_preview(stack, tmp_path):
    stack.program(PASSWORD)
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        f"runtime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    (pack / "__main__.py").write_text(POLICY_PACK)
    shown = stack.fails("preview", "--policy-pack", str(pack))
    assert "the password is too short" in shown
    stack.succeeds("config", "set", "length", "40")
    stack.succeeds("preview", "--policy-pack", str(pack))


@pytest.fixture
def image(stack: Stack, request: pytest.FixtureRequest) -> Stack:
    """A stack with an image; in a repository of its own, as one of the tests deletes there."""
    repository = f"slipway-tests/{request.node.originalname}"
    stack.succeeds("config", "set", "tag", f"{REGISTRY}/{repository}:1.0")
    app = stack.folder / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE)
    (app / "step").write_text("echo built\n")
    stack.program(IMAGE)
    return stack


def manifest(reference: str, method: str = "GET") -> httpx.Response:
    name, _, digest = reference.removeprefix(f"{REGISTRY}/").partition("@")
    url = f"http://{REGISTRY}/v2/{name.partition(':')[0]}/manifests/{digest}"
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    return httpx.request(method, url, headers={"Accept": accept})


def test_an_image_is_built_pushed_and_not_built_again(image):
    assert "2 to create" in image.succeeds("preview")
    assert "2 created" in image.up()
    first = image.outputs()
    assert manifest(first["ref"]).status_code == httpx.codes.OK
    assert "2 unchanged" in image.up()
    assert "2 unchanged" in image.succeeds("refresh", "--yes", "--skip-preview")
    (image.folder / "app/step").write_text("echo built again\n")
    assert "1 updated" in image.up()
    assert image.outputs()["digest"] != first["digest"]


def test_an_image_that_its_registry_lost_is_built_again(image):
    image.up()
    assert manifest(image.outputs()["ref"], "DELETE").status_code == httpx.codes.ACCEPTED
    assert "1 deleted" in image.succeeds("refresh", "--yes", "--skip-preview")
    assert "1 created" in image.up()
    assert manifest(image.outputs()["ref"]).status_code == httpx.codes.OK


def test_a_failing_step_is_shown_with_its_own_lines_and_without_secrets(image):
    (image.folder / "app/step").write_text(
        "echo main.go:3: undefined: thing\ncat /run/secrets/token\nexit 1\n"
    )
    shown = image.fails("up", "--yes", "--skip-preview")
    assert "main.go:3: undefined: thing" in shown
    assert "hunter2" not in shown
    (image.folder / "app/step").write_text("echo built\n")
    assert "1 created" in image.up()


def test_a_registry_that_is_down_is_named(image):
    image.succeeds("config", "set", "tag", "localhost:5999/slipway-tests/plugins:1.0")
    shown = image.fails("up", "--yes", "--skip-preview")
    assert "localhost:5999" in shown
    assert "connection refused" in shown


def test_a_builder_that_is_missing_is_named(image):
    image.program(IMAGE.replace("push=True", "push=True, builder={'name': 'nosuch'}"))
    assert 'no builder "nosuch" found' in image.fails("up", "--yes", "--skip-preview")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_build_ends_with_its_update_and_leaves_nothing_behind(image, number, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    image.environment["TMPDIR"] = str(temporary)
    (image.folder / "app/step").write_text("echo waiting; sleep 120\n")
    process = image.start("up", "--yes", "--skip-preview")
    wait_until("the build to start", lambda: any(temporary.glob("docker-build-*")), seconds=60)
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_until("its folder to go", lambda: not any(temporary.glob("docker-build-*")), seconds=40)
    assert not builds(temporary)
    image.run("cancel", "--yes")
    (image.folder / "app/step").write_text("echo built\n")
    assert "created" in image.up()


def builds(temporary: Path) -> list[str]:
    """The buildx processes that work in this folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if f"={temporary}/" in line]


def test_install_makes_the_virtual_environment_that_is_missing(stack):
    stack.program(PASSWORD)
    (stack.folder / "requirements.txt").write_text("certifi\n")
    file = stack.folder / "Pulumi.yaml"
    file.write_text(file.read_text().replace(sys.prefix, "venv"))
    assert "pulumi install" in stack.fails("preview")
    stack.succeeds("install")
    assert (stack.folder / "venv/bin/python").exists()
    shutil.rmtree(stack.folder / "venv")
