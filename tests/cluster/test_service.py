"""Jobs before a version, configuration files, and connections between services of a stack."""

import json
from typing import Any

import pytest

from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(900)

CHECK = ["--check-config", "/etc/front/config.yaml"]
RELAY = "http://orders-stable:8080/version"


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    """Three services with the image of beacon; ``front`` and ``other`` relay to ``orders``."""
    with project.config() as config:
        beacon = config["slipway:services"].pop("beacon")
        common: dict[str, Any] = {
            **{key: beacon[key] for key in ("source", "probes", "workload")},
            "autoscaling": {"enabled": False},
            "env": {"BEACON_CONFIG": "/etc/front/config.yaml"},
            "configFile": {"path": "/etc/front/config.yaml", "reload": "hot"},
        }
        common["workload"] |= {"replicas": 1, "preStopSleepSeconds": 1}
        release = {"stable": {"version": beacon["release"]["stable"]["version"]}}
        job = {"args": CHECK, "timeoutSeconds": 60, "backoffLimit": 0}
        config.pop("slipway:defaults", None)
        services = {
            "front": {
                **common,
                "release": {**release, "beforeStart": job},
                "config": {"message": "one", "upstream": RELAY},
                "routing": {"hosts": [project.host], "paths": ["/"], "externalPort": 8080},
                "peers": {"to": [{"service": "orders"}]},
            },
            "orders": {**common, "release": release, "config": {"message": "orders"}},
            "other": {
                **common,
                "release": release,
                "config": {"upstream": RELAY},
                "routing": {"hosts": [f"other.{project.host}"], "externalPort": 8080},
            },
        }
        for name, service in services.items():
            service["image"] = {"repository": f"slipway/{project.stack}/{name}"}
        # A stack file has no aliases.
        config["slipway:services"] = json.loads(json.dumps(services))
    project.make("up")


def pods(project: Project, service: str) -> list[str]:
    selector = f"app.kubernetes.io/name={service},track=stable"
    names = project.kubectl("get", "pods", "--selector", selector, "--output", "name").split()
    return sorted(names)


def jobs(project: Project) -> dict[str, str]:
    """UID of each Job."""
    items = json.loads(project.kubectl("get", "jobs", "--output", "json"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in items}


def test_the_job_of_a_version_runs_once(project: Project) -> None:
    before = jobs(project)
    assert [*before] == ["front-before-start-1-0-0"]
    project.assert_unchanged()
    assert jobs(project) == before


def test_a_service_is_reached_only_by_its_peers(project: Project) -> None:
    assert project.get("/api/relay").json()["status"] == 200
    assert project.get("/api/relay", Host=f"other.{project.host}").status_code == 502


def test_a_changed_config_is_reloaded_or_restarts_the_pods(project: Project) -> None:
    before = pods(project, "front")
    with project.config() as config:
        config["slipway:services"]["front"]["config"]["message"] = "two"
    project.make("up")
    wait_until("the new message", lambda: "two" in project.get("/").text, seconds=150)
    assert pods(project, "front") == before
    with project.config() as config:
        config["slipway:services"]["front"]["config"]["timeouts"] = {"read": "20s"}
    project.make("up")
    wait_until(
        "the end of the old pod", lambda: not {*pods(project, "front")} & {*before}, seconds=60
    )


def test_a_failed_job_shows_its_log_and_leaves_the_running_version_alone(project: Project) -> None:
    before = pods(project, "front")
    with project.restored_config():
        with project.config() as config:
            front = config["slipway:services"]["front"]
            front["release"]["beforeStart"]["args"] = ["--check-config", "/nothing/here.yaml"]
            front["env"]["LOG"] = "a change that would restart the pods"
        failed = project.make_fails("up")
    assert "/nothing/here.yaml: no such file or directory" in failed.stdout + failed.stderr
    assert pods(project, "front") == before
    project.make("up")
    assert pods(project, "front") == before
