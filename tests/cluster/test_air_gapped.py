"""A machine without a network, with the files of a machine that has one."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from local.layout import Layout
from tests.cluster.empty_builder import empty_builder
from tests.cluster.image_source import Source
from tests.cluster.module_proxy import ModuleProxy
from tests.cluster.project import CHECKOUT, LINKED, Project
from tests.cluster.systemd_host import SHARED, SystemdHost

pytestmark = pytest.mark.timeout(600)

STACK = "air-gapped"
HOST = f"{STACK}.localhost"
NODE_IMAGES = ("coredns", "metrics-server", "pause", "provisioner", "traefik")
MAIN = """\
package main

import (
	"fmt"
	"net"

	"example.com/lib"
)

func main() {
	listener, _ := net.Listen("tcp", ":8080")
	for {
		connection, _ := listener.Accept()
		go respond(connection)
	}
}

func respond(connection net.Conn) {
	_, _ = connection.Read(make([]byte, 4096))
	fmt.Fprintf(connection, "HTTP/1.0 200 OK\\r\\n\\r\\n%s", lib.Name)
	connection.Close()
}
"""
"""A server without ``net/http``, which takes long to compile."""
REPOSITORIES = "registry/docker/registry/v2/repositories"
PROGRAMS = ("bin", "providers", "pulumi/plugins", "toolchain", "registry/docker/registry/v2/blobs")
"""Files of SLIPWAY_HOME that are replaced and never written to, so that a copy can be a link."""
COPIED = (
    *("builds", "registry-password", "share"),
    # Without the images of the tests.
    *(f"{REPOSITORIES}/{name}" for name in ("library", *map("slipway/{}".format, NODE_IMAGES))),
)
"""Further files: all but those of the node, of the builder and of the stacks."""


@pytest.fixture(scope="module")
def machine(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SystemdHost]:
    """A machine without a network. The copies are in ``home`` and ``project`` of :data:`SHARED`."""
    folder = tmp_path_factory.mktemp("connected")
    shared = tmp_path_factory.mktemp("shared")
    for name in (*PROGRAMS, *COPIED):
        if (source := Layout().root / name).exists():
            copy(source, shared / "home" / name, link=name in PROGRAMS)
    project = Project.copy(shared / "project", STACK, cluster_environment)
    for name in LINKED:
        (project.folder / name).unlink()
        copy((CHECKOUT / name).resolve(), project.folder / name, link=name == ".venv")
    copy_builder(project, folder, shared / "home")
    with SystemdHost(folder / "machine", shared) as machine:
        # If this machine has Docker, the other one has it too.
        units = ["docker.socket", "docker.service"]
        machine.run("systemctl", "mask", "--now", *units, check=False)
        yield machine
        make(machine, "local-down")
    shutil.rmtree(shared)


def copy_builder(project: Project, folder: Path, home: Path) -> None:
    """Write a service with a module to download, and copy a builder that has built it."""
    source = project.folder / "hello"
    with ModuleProxy(folder / "proxy") as proxy:
        proxy.add("example.com/lib", "v1.0.0", 'package lib\n\nconst Name = "from lib"\n')
        go_mod = "module example.com/hello\n\ngo 1.26\n\nrequire example.com/lib v1.0.0\n"
        for name, text in {"go.mod": go_mod, "go.sum": proxy.checksums, "main.go": MAIN}.items():
            source.mkdir(exist_ok=True)
            (source / name).write_text(text)
        arguments = {"GOPROXY": proxy.url, "GONOSUMDB": "example.com"}
        write_stack(project, arguments)
        with empty_builder(folder / "builder", project.environment) as environment:
            Source(source, environment, out=folder).build("image", arguments=arguments)
    # As in docs/air-gapped.md.
    tar = "tar --create --xattrs --xattrs-include='trusted.*' --directory {} buildkit"
    untar = "tar --extract --xattrs --xattrs-include='trusted.*' --directory {}"
    pipe = f"{tar.format(folder / 'builder')} | {untar.format(home)}"
    subprocess.run(["bash", "-o", "pipefail", "-c", pipe], check=True)
    shutil.rmtree(folder / "builder")


def copy(source: Path, target: Path, *, link: bool) -> None:
    """Copy a file or a folder, with ``link`` as hard links, if the file system is the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    is_same = source.stat().st_dev == target.parent.stat().st_dev
    options = ["--archive", *(["--link"] if link and is_same else [])]
    subprocess.run(["cp", *options, source, target], check=True)


def write_stack(project: Project, arguments: Mapping[str, str]) -> None:
    """Deploy only ``hello``, which has no Dockerfile. ``arguments`` are of its build."""
    config: dict[str, Any] = {
        "namespace": {"name": STACK},
        "registry": {"host": "localhost:5000"},
        "observability": {"mode": "off"},
        "services": {
            "hello": {
                "source": "hello",
                "image": {"build": {"arguments": dict(arguments)}},
                "release": {"stable": {"version": "0.1.0"}},
                "autoscaling": {"enabled": False},
                "workload": {"replicas": 1},
                "routing": {"hosts": [HOST], "externalPort": 8080},
            }
        },
    }
    document = {"config": {f"slipway:{key}": value for key, value in config.items()}}
    with project.file.open("w") as file:
        YAML().dump(document, file)


def make(
    machine: SystemdHost, target: str, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    variables = [f"SLIPWAY_HOME={SHARED / 'home'}", "SLIPWAY_PULL=off"]
    command = ["make", "--silent", "-C", SHARED / "project", target, f"STACK={STACK}"]
    return machine.run("env", *variables, *command, check=check)


def test_a_missing_program_is_named_with_the_place_it_comes_from(machine: SystemdHost) -> None:
    stamp, moved = SHARED / "home/builds/traefik.fingerprint", SHARED / "home/traefik"
    machine.run("mv", stamp, moved)
    failed = make(machine, "up", check=False)
    machine.run("mv", moved, stamp)
    assert failed.returncode == 2, failed.stdout + failed.stderr
    assert "proxy.golang.org" in failed.stderr


def test_a_changed_service_is_built_and_deployed_without_a_network(machine: SystemdHost) -> None:
    assert "default" not in machine.run("ip", "route").stdout
    edit = [
        "sed",
        "--in-place",
        's/, lib.Name/, "edited " + lib.Name/',
        SHARED / "project/hello/main.go",
    ]
    machine.run(*edit)
    output = make(machine, "up").stdout
    assert f"http://{HOST}:8080" in output
    response = machine.run("curl", "--fail", "--header", f"Host: {HOST}", "http://127.0.0.1:8080/")
    assert response.stdout == "edited from lib"
