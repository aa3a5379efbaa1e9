"""The Pulumi CLI with the plugins of this repository, and the docker-build provider.

Each test has a project, a backend and a Pulumi home of its own. Plugin downloads are enabled: a
plugin that the CLI does not find fails the test.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import bcrypt
import httpx
import psutil
import pytest
from pydantic import SecretStr

from commands.errors import CommandError
from commands.registry import login, published_digest
from local import registry
from local.layout import Layout
from local.plugins.install import install
from settings import RegistryCredentials, RegistrySettings
from tests.cluster.project import CHECKOUT, read_until, wait_until

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

KILLED = """
import time
import pulumi
import pulumi_docker_build as build
import pulumi_kubernetes as kubernetes

def wait(_):
    print("waiting", flush=True)
    time.sleep(120)

cluster = kubernetes.Provider("cluster", kubeconfig="")
image = build.Image("image", context={"location": "app"}, push=False, build_on_preview=False)
pulumi.Output.all(cluster.urn, image.digest).apply(wait)
"""

MODULE = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})

import pulumi
from components.service.image import ContainerImage
from settings import BuilderSettings, ImageSettings, RegistrySettings, ReleasedVersion

config = pulumi.Config()
image = ContainerImage("shop-stable", {{
    "name": config.require("tag").rpartition(":")[0],
    "service": "shop",
    "source": config.require("source"),
    "image": ImageSettings(),
    "registry": RegistrySettings(host="{REGISTRY}"),
    "builder": BuilderSettings(),
    "release": ReleasedVersion(version="1.0.0"),
}})
pulumi.export("digest", image.digest)
"""

DOCKERFILE = """\
FROM golang:1.26
COPY . /
RUN --mount=type=secret,id=token sh /step
"""


ODD_PASSWORD = "a$b\"c\\d'e#f%g@h+i:j é\N{SNOWMAN}"
"""Characters that shells, URLs, JSON and YAML quote."""


class Stack:
    """A temporary project with one stack."""

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
        install(Layout(), self.home / "plugins")
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

    def secret(self, path: str) -> str:
        shown = self.succeeds("config", "get", "--json", "--path", f"slipway:{path}")
        return json.loads(shown)["value"]

    def outputs(self) -> dict[str, str]:
        return json.loads(self.succeeds("stack", "output", "--json", "--show-secrets"))

    def up(self) -> str:
        return self.succeeds("up", "--yes", "--skip-preview")


@pytest.fixture
def stack(cluster_environment: Mapping[str, str], tmp_path: Path) -> Stack:
    folder = tmp_path / "project"
    folder.mkdir()
    return Stack(folder, cluster_environment)


def test_a_random_value_is_created_kept_replaced_and_deleted(stack):
    stack.program(PASSWORD)
    stack.succeeds("config", "set", "--secret", "given", "hunter2")
    assert "2 to create" in stack.succeeds("preview")
    shown = stack.up()
    assert "2 created" in shown
    assert "the program is running" in shown
    first = stack.outputs()
    assert len(first["password"]) == 20
    assert first["given"] == "hunter2"
    assert first["stack"] == "dev"
    state = (stack.folder.parent / "state/.pulumi/stacks/test/dev.json").read_text()
    for secret in (first["password"], first["hash"], "hunter2"):
        assert secret not in shown
        assert secret not in state
    assert "2 unchanged" in stack.up()
    assert stack.outputs() == first
    assert "2 unchanged" in stack.succeeds("refresh", "--yes", "--skip-preview")
    stack.succeeds("config", "set", "length", "30")
    assert "1 replaced" in stack.up()
    assert len(stack.outputs()["password"]) == 30
    assert "2 deleted" in stack.succeeds("destroy", "--yes", "--skip-preview")
    stack.succeeds("install")
    assert no_plugin_was_downloaded(stack)


def no_plugin_was_downloaded(stack: Stack) -> bool:
    install(Layout(), stack.folder.parent / "expected")
    expected, installed = (
        {folder.name for folder in parent.iterdir()}
        for parent in (stack.folder.parent / "expected", stack.home / "plugins")
    )
    return installed == expected


def test_an_error_of_the_program_is_shown_and_nothing_is_created(stack):
    stack.program("import pulumi\nraise pulumi.RunError('image.port: 0 is not 1 to 65535')\n")
    shown = stack.fails("up", "--yes", "--skip-preview")
    diagnostics = shown.partition("Diagnostics:")[2]
    assert diagnostics.count("error:") == 1
    assert "error: image.port: 0 is not 1 to 65535" in diagnostics
    assert "Traceback" not in shown
    assert "exit code" not in shown

    (stack.folder / "helper.py").write_text("def go():\n    return {}['absent']\n")
    stack.program("import helper\nhelper.go()\n")
    shown = stack.fails("preview")
    assert "Program failed with an unhandled exception" in shown
    assert "helper.go()" in shown
    assert "KeyError: 'absent'" in shown
    assert "runpy" not in shown

    stack.program("import pulumi_random as random\nrandom.RandomPassword('p', length=0)\n")
    assert "length must be at least 1, got 0" in stack.fails("up", "--yes", "--skip-preview")


def test_an_interrupted_program_ends_and_the_next_update_works(stack):
    file = stack.folder / "pid"
    stack.program(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(file)!r}).write_text(str(os.getpid()))\n"
        "print('waiting', flush=True)\ntime.sleep(120)\n"
    )
    process = stack.start("up", "--yes", "--skip-preview")
    read_until("waiting", process)
    program = psutil.Process(int(file.read_text()))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert process.stdout
    assert "Traceback" not in process.stdout.read()
    wait_until("the program to end", lambda: not program.is_running(), seconds=10)
    stack.program(PASSWORD)
    assert "created" in stack.up()


def test_no_plugin_outlives_a_killed_cli(stack):
    (stack.folder / "app").mkdir()
    (stack.folder / "app/Dockerfile").write_text("FROM scratch\n")
    stack.program(KILLED)
    process = stack.start("up", "--yes", "--skip-preview")
    read_until("waiting", process)
    running = plugins_of(stack)
    assert {"pulumi-resource-docker-build", "pulumi-resource-kubernetes"} <= running
    process.kill()
    wait_until("the plugins to end", lambda: not plugins_of(stack), seconds=30)


def plugins_of(stack: Stack) -> set[str]:
    """Return the names of the running plugins of the stack's Pulumi home."""
    commands = (one.info["cmdline"] or () for one in psutil.process_iter(["cmdline"]))
    paths = (Path(word) for command in commands for word in command[:3])
    return {path.name for path in paths if path.is_relative_to(stack.home / "plugins")}


@pytest.fixture
def image(stack: Stack, request: pytest.FixtureRequest) -> Stack:
    """A stack with an image, in a repository of its own because a test deletes an image."""
    repository = f"slipway-tests/{request.node.originalname}"
    stack.succeeds("config", "set", "tag", f"{REGISTRY}/{repository}:1.0")
    app = stack.folder / "app"
    app.mkdir()
    (app / "Dockerfile").write_text(DOCKERFILE)
    (app / "step").write_text("echo built\n")
    stack.program(IMAGE)
    return stack


def manifest(reference: str, method: str = "GET", *, is_authorized: bool = True) -> httpx.Response:
    name, _, digest = reference.removeprefix(f"{REGISTRY}/").partition("@")
    url = f"http://{REGISTRY}/v2/{name.partition(':')[0]}/manifests/{digest}"
    accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    authorization = {"Authorization": registry.authorization(Layout())} if is_authorized else {}
    return httpx.request(method, url, headers={"Accept": accept, **authorization})


def test_an_image_is_built_and_pushed_again_if_it_changes_or_the_registry_lost_it(image):
    assert "2 to create" in image.succeeds("preview")
    assert "2 created" in image.up()
    first = image.outputs()
    assert manifest(first["ref"]).status_code == httpx.codes.OK
    assert "2 unchanged" in image.up()
    assert "2 unchanged" in image.succeeds("refresh", "--yes", "--skip-preview")
    (image.folder / "app/step").write_text("echo built again\n")
    assert "1 updated" in image.up()
    assert image.outputs()["digest"] != first["digest"]
    for method in ("PUT", "DELETE"):
        response = manifest(image.outputs()["ref"], method, is_authorized=False)
        assert response.status_code == httpx.codes.UNAUTHORIZED
    assert manifest(image.outputs()["ref"], "DELETE").status_code == httpx.codes.ACCEPTED
    assert "1 deleted" in image.succeeds("refresh", "--yes", "--skip-preview")
    assert "1 created" in image.up()
    assert manifest(image.outputs()["ref"]).status_code == httpx.codes.OK


def test_the_output_of_a_failed_build_step_is_shown_without_secrets(image):
    image.program(IMAGE.replace('"hunter2hunter2"', '"machine a login b\\npassword hunter2"'))
    (image.folder / "app/step").write_text(
        "echo main.go:3: undefined: thing\ncat /run/secrets/token\nexit 1\n"
    )
    shown = image.fails("up", "--yes", "--skip-preview")
    progress, _, diagnostics = shown.partition("Diagnostics:")
    assert "main.go:3: undefined: thing" in diagnostics
    assert "[secret]" in shown
    assert "hunter2" not in shown
    # The diagnostics repeat the failed step, and not the steps before it.
    assert "load build definition from Dockerfile" in progress
    assert "load build definition from Dockerfile" not in diagnostics
    (image.folder / "app/step").write_text("echo built\n")
    assert "1 created" in image.up()


def test_a_go_module_is_built_again_only_if_its_program_changes(image):
    image.program(MODULE)
    app = image.folder / "app"
    image.succeeds("config", "set", "source", str(app))
    (image.folder / "components").symlink_to(CHECKOUT / "components")
    (app / "Dockerfile").unlink()
    shown = image.fails("preview")
    assert "use a folder with a go.mod or a Dockerfile" in shown
    (app / "go.mod").write_text("module example.com/shop\n\ngo 1.26\n")
    (app / "main.go").write_text("package main\n\nfunc main() {}\n")
    assert "3 created" in image.up()
    (app / "main_test.go").write_text("package main\n")
    (app / ".git").mkdir()
    (app / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert "3 unchanged" in image.up()
    (app / "main.go").write_text('package main\n\nfunc main() { println("2") }\n')
    assert "1 updated" in image.up()


def test_the_credentials_of_a_private_registry_push_and_look_up(image, tmp_path):
    with private_registry(tmp_path, "robot", ODD_PASSWORD) as host:
        image.program(IMAGE.replace("push=True,", "push=True, registries=[REGISTRY],"))
        program = image.folder / "__main__.py"
        credentials = {"address": host, "username": "robot", "password": ODD_PASSWORD}
        program.write_text(f"REGISTRY = {credentials!r}\n{program.read_text()}")
        image.succeeds("config", "set", "tag", f"{host}/shop:1.0.0")
        assert "2 created" in image.up()
        digest = image.outputs()["digest"]
        state = (image.folder.parent / "state/.pulumi/stacks/test/dev.json").read_text()
        assert json.dumps(ODD_PASSWORD)[1:-1] not in state
        with pytest.raises(CommandError, match="401"):
            published_digest(f"{host}/shop", "1.0.0", image.environment)
        image.succeeds(
            *("config", "set", "--secret", "--path", "slipway:registry.credentials.password"),
            *("--", ODD_PASSWORD),
        )
        settings = RegistrySettings.model_construct(
            host=host,
            credentials=RegistryCredentials.model_construct(
                username="robot", password=SecretStr("(encrypted)")
            ),
        )
        variables = login(settings, cast("Any", image), image.environment)
        environment = {**image.environment, **variables}
        assert published_digest(f"{host}/shop", "1.0.0", environment) == digest


@contextmanager
def private_registry(folder: Path, username: str, password: str) -> Iterator[str]:
    """Run a registry that requires a password; yield its host and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"localhost:{free.getsockname()[1]}"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{username}:{hashed}\n")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": host},
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    (folder / "registry.yaml").write_text(json.dumps(config))
    command = ["docker-registry", "serve", str(folder / "registry.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until("the registry", lambda: answers(f"http://{host}/"), seconds=20, interval=0.1)
            yield host
        finally:
            server.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.ConnectError:
        return False


def test_an_unreachable_registry_and_a_missing_builder_are_named(image):
    image.succeeds("config", "set", "tag", "localhost:5999/slipway-tests/plugins:1.0")
    shown = image.fails("up", "--yes", "--skip-preview")
    assert "localhost:5999" in shown
    assert "connection refused" in shown
    image.program(IMAGE.replace("push=True", "push=True, builder={'name': 'nosuch'}"))
    assert 'no builder "nosuch" found' in image.fails("up", "--yes", "--skip-preview")


def test_pulumi_install_creates_the_virtual_environment(stack):
    stack.program(PASSWORD)
    (stack.folder / "requirements.txt").write_text("certifi\n")
    file = stack.folder / "Pulumi.yaml"
    file.write_text(file.read_text().replace(sys.prefix, "venv"))
    assert "pulumi install" in stack.fails("preview")
    stack.succeeds("install")
    assert (stack.folder / "venv/bin/python").exists()
    shutil.rmtree(stack.folder / "venv")
