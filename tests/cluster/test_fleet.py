"""A fleet of two stacks, in two namespaces of the node, each with a context of its own."""

import json
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from tests.cluster.project import Project, read_until

pytestmark = pytest.mark.timeout(1200)

REGIONS = ("east", "north")
ROLLOUT = {"progressDeadlineSeconds": 20, "maxSurge": "100%"}
"""An update fails soon."""


@dataclass(frozen=True)
class Fleet:
    """Stacks of the regions, which extend the stack ``base``, in one folder."""

    stacks: Mapping[str, Project]

    @property
    def first(self) -> Project:
        return self.stacks["east"]

    @property
    def base(self) -> Path:
        return self.first.folder / "Pulumi.base.yaml"

    def command(self, target: str, *variables: str) -> Sequence[str]:
        return ("make", "--silent", target, "FLEET=prod", *variables)

    def run(self, target: str, *variables: str) -> "subprocess.CompletedProcess[str]":
        return self.first.run(*self.command(target, *variables))

    def declare(self, version: str, **changes: Any) -> None:
        """Set the version of all stacks, and keys of their service."""
        reader = YAML()
        document = reader.load(self.base.read_text())
        (service,) = document["config"]["slipway:services"].values()
        service["release"]["stable"]["version"] = version
        service.update(changes)
        reader.dump(document, self.base)
        (self.first.folder / "app" / "VERSION").write_text(f"{version}\n")

    def served(self) -> list[str]:
        return [project.get("/version").headers["X-Version"] for project in self.stacks.values()]


@pytest.fixture(scope="module")
def fleet(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder, stack = tmp_path_factory.mktemp("fleet"), f"test-{secrets.token_hex(3)}"
    kubeconfig = folder / "kubeconfig"
    config = yaml.safe_load(Path(cluster_environment["KUBECONFIG"]).read_text())
    context = config["contexts"][0]["context"]
    config["contexts"] = [{"name": name, "context": context} for name in REGIONS]
    config["current-context"] = REGIONS[0]
    kubeconfig.write_text(yaml.safe_dump(config))
    environment = {**cluster_environment, "KUBECONFIG": str(kubeconfig)}
    made = Project.copy(folder / "project", stack, environment)
    with made.service() as service:
        service["autoscaling"] = {"minReplicas": 1, "maxReplicas": 2}
        service.setdefault("workload", {})["rollout"] = ROLLOUT
    made.file.rename(made.folder / "Pulumi.base.yaml")
    stacks = {name: Project(made.folder, f"{stack}-{name}", environment) for name in REGIONS}
    for name, one in stacks.items():
        own = {
            "slipway:extends": "base",
            "slipway:cluster": {"context": name},
            "slipway:namespace": {"name": one.stack},
            "slipway:services": {"beacon": {"routing": {"hosts": [one.host]}}},
        }
        one.file.write_text(yaml.safe_dump({"config": own}))
    waves = [{"name": name, "stacks": [one.stack]} for name, one in stacks.items()]
    (made.folder / "fleet.yaml").write_text(yaml.safe_dump({"prod": {"waves": waves}}))
    yield Fleet(stacks)
    for one in stacks.values():
        one.make("down", "ARGS=--yes")
        one.remove_stack()


def test_a_fleet_that_was_killed_deploys_all_waves_when_it_is_run_again(fleet: Fleet) -> None:
    process = subprocess.Popen(
        fleet.command("up"),
        cwd=fleet.first.folder,
        env=dict(fleet.first.environment),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    read_until(f"north {fleet.stacks['north'].stack}: updating", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = fleet.run("up")
    assert result.returncode == 0, result.stdout + result.stderr
    assert fleet.served() == ["1.0.0", "1.0.0"]


def test_a_new_version_reaches_all_waves_and_the_previews_are_equal(fleet: Fleet) -> None:
    fleet.declare("1.9.0")
    previewed = fleet.run("preview")
    assert previewed.returncode == 0, previewed.stdout + previewed.stderr
    assert previewed.stdout.count("beacon 1.0.0 -> 1.9.0") >= 2
    assert "differs" not in previewed.stdout
    assert fleet.served() == ["1.0.0", "1.0.0"]
    result = fleet.run("up")
    assert result.returncode == 0, result.stdout + result.stderr
    assert fleet.served() == ["1.9.0", "1.9.0"]
    shown = fleet.run("status").stdout
    assert shown.count("1.9.0 promoted") == 2, shown


def test_a_bad_version_stops_at_the_first_wave_and_is_rolled_back(fleet: Fleet) -> None:
    north = fleet.stacks["north"]
    served = fleet.served()
    before, released = north.specs(), north.file.read_text()
    fleet.declare("2.0.0", env={"BEACON_LOG_LEVEL": "loud"})
    result = fleet.run("up")
    assert "Error 1" in result.stderr, result.stdout + result.stderr
    assert f"not touched: {north.stack}\n" in result.stdout
    assert fleet.served() == served

    rolled_back = fleet.run("rollback")
    assert rolled_back.returncode == 0, rolled_back.stdout + rolled_back.stderr
    assert "1 of 1 updated stacks are rolled back" in rolled_back.stdout
    assert fleet.served() == served
    assert (north.specs(), north.file.read_text()) == (before, released)
    again = fleet.run("rollback")
    assert "nothing to roll back" in again.stdout, again.stdout
    fleet.first.assert_unchanged()


class _EmptyCluster(BaseHTTPRequestHandler):
    """API server without objects."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        namespaces = {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": []}
        found = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [{**namespaces, "singularName": "namespace", "shortNames": ["ns"]}],
            },
        }.get(path)
        missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound"}
        body = json.dumps(found or {**missing, "code": 404, "message": "not found"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def test_a_kubeconfig_that_points_to_another_cluster_is_refused_before_a_wave(
    fleet: Fleet,
) -> None:
    kubeconfig = Path(fleet.first.environment["KUBECONFIG"])
    original = kubeconfig.read_text()
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyCluster) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = yaml.safe_load(original)
        url = f"http://127.0.0.1:{server.server_port}"
        config["clusters"].append({"name": "other", "cluster": {"server": url}})
        config["contexts"][1]["context"] = {"cluster": "other", "user": ""}
        try:
            kubeconfig.write_text(yaml.safe_dump(config))
            result = fleet.run("up")
        finally:
            kubeconfig.write_text(original)
            server.shutdown()
    assert "Error 2" in result.stderr, result.stdout + result.stderr
    north = fleet.stacks["north"].stack
    assert f"{north}: context north of the kubeconfig is another cluster" in result.stderr
    assert "updating" not in result.stdout
