"""Jobs before a version, and configuration files."""

import json
from typing import Any

import pytest

from tests.cluster.project import Project, wait_until

pytestmark = pytest.mark.timeout(900)

CHECK = ["--check-config", "/etc/front/config.yaml"]


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    """The service ``front``, of the source of beacon."""
    with project.config() as config:
        beacon = config["slipway:services"].pop("beacon")
        release = {"stable": {"version": beacon["release"]["stable"]["version"]}}
        job = {"args": CHECK, "timeoutSeconds": 60, "backoffLimit": 0}
        front: dict[str, Any] = {
            **{key: beacon[key] for key in ("source", "probes", "workload")},
            "image": {"repository": f"slipway/{project.stack}/front"},
            "autoscaling": {"enabled": False},
            "release": {**release, "beforeStart": job},
            "env": {"BEACON_CONFIG": "/etc/front/config.yaml"},
            "config": {"message": "one"},
            "configFile": {"path": "/etc/front/config.yaml", "reload": "hot"},
            "routing": {"hosts": [project.host], "externalPort": 8080},
        }
        front["workload"] |= {"replicas": 1, "preStopSleepSeconds": 1}
        config.pop("slipway:defaults", None)
        config["slipway:services"]["front"] = front
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
