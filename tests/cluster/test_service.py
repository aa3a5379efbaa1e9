"""A service of a few lines, and one with a job before a version and a configuration file."""

import json
from typing import Any

import pytest

from tests.cluster.project import Project, needs_slow, wait_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)

CHECK = ["--check-config", "/etc/front/config.yaml"]


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    """The services ``front``, of the source of beacon, and ``hello``."""
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
        config["slipway:services"]["hello"] = {
            "source": "tests/cluster/services/hello",
            "image": {"repository": f"slipway/{project.stack}/hello"},
            "release": {"strategy": "canary", "stable": {"version": "0.1.0"}},
            "ports": {"http": 9000},
            "metrics": None,
            "autoscaling": {"enabled": False},
            "workload": {"replicas": 2},
            "routing": {"hosts": [host(project)]},
        }
    project.make("up")


def host(project: Project) -> str:
    """Host of ``hello``, which has no metrics, configuration, Dockerfile or version file."""
    return f"hello.{project.host}"


def pods(project: Project, service: str) -> list[str]:
    selector = f"app.kubernetes.io/name={service},track=stable"
    names = project.kubectl("get", "pods", "--selector", selector, "--output", "name").split()
    return sorted(names)


def jobs(project: Project) -> dict[str, str]:
    """UID of each Job."""
    items = json.loads(project.kubectl("get", "jobs", "--output", "json"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in items}


def test_a_service_of_a_few_lines_is_built_deployed_and_routed(project: Project) -> None:
    response = project.get(Host=host(project))
    assert response.text == "hello\n"
    assert response.headers["X-Version"] == "0.1.0"


@needs_slow
def test_a_canary_of_it_is_promoted_and_rolled_back_without_a_failed_request(
    project: Project,
) -> None:
    with steady_load(host(project)) as load:
        project.make("canary", "SERVICE=hello", "VERSION=0.2.0", "WEIGHT=50")
        wait_until(
            "a response of the canary",
            lambda: "0.2.0" in versions_of(host(project), 20),
            seconds=15,
        )
        project.make("promote", "SERVICE=hello")
        assert set(versions_of(host(project), 50)) == {"0.2.0"}
        project.make("rollback", "SERVICE=hello")
        assert set(versions_of(host(project), 50)) == {"0.1.0"}
    assert load.failures == []


def test_a_changed_config_is_reloaded_or_restarts_the_pods_and_no_job_runs_again(
    project: Project,
) -> None:
    before, of_version = pods(project, "front"), jobs(project)
    assert [*of_version] == ["front-before-start-1-0-0"]
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
    assert jobs(project) == of_version


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
