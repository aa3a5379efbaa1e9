"""Progressive releases that the commands follow: promotion, rollback, pause, several services."""

import subprocess
import time
from typing import Any

import pytest

from local.layout import NODE_IP
from tests.cluster.project import Project, read_until
from tests.cluster.traffic import steady_load, versions_of

pytestmark = pytest.mark.timeout(900)


def small() -> dict[str, Any]:
    """Volume and resources of a server. A function, because stack files have no YAML aliases."""
    return {
        "volumeSize": "1Gi",
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
    }


PROGRESSIVE = {"intervalSeconds": 10, "threshold": 4, "steps": [20, 50], "minRequests": 5}


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    """Two services with the same source, and the Prometheus that the gates query."""
    with project.config() as config:
        config["slipway:observability"] = {
            "mode": "bundled",
            "nodeNamespace": f"{project.stack}-node",
            "metrics": {"scrapeIntervalSeconds": 5, **small()},
            "logs": small(),
            "traces": {**small(), "volumeSize": "5Gi", "retentionDays": 1},
            "grafana": {"enabled": False},
        }
        config["slipway:network"] = {
            "monitoringNamespace": f"{project.stack}-monitoring",
            "nodeCIDRs": [f"{NODE_IP}/32"],
        }
    with project.service() as service:
        service["slo"] = {"availability": 99}
        service["release"]["strategy"] = "progressive"
        service["release"]["progressive"] = PROGRESSIVE
    project.make("up")


def command(project: Project, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command without make, which has other exit codes."""
    name, *options = arguments
    stack = f"--stack={project.stack}"
    return project.run(".venv/bin/python", "-m", "commands", name, stack, *options)


def stack_file(project: Project) -> str:
    return project.file.read_text()


def test_a_good_version_is_promoted_without_a_failed_request(project: Project) -> None:
    with steady_load(project.host) as load:
        result = command(project, "release", "--version=1.1.0")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20 %, step 1 of 2" in result.stdout
    assert "beacon 1.1.0 is promoted" in result.stdout
    assert load.failures == []
    assert set(versions_of(project.host, 50)) == {"1.1.0"}
    history = project.make("history").stdout
    assert "1.1.0" in history
    assert "promoted" in history
    project.assert_unchanged()


def test_a_bad_version_is_rolled_back_with_its_settings_and_refused_from_then_on(
    project: Project,
) -> None:
    before = stack_file(project)
    with project.service() as service:
        service["config"]["faults"]["errorRate"] = 0.5
    with steady_load(project.host):
        result = command(project, "release", "--version=1.2.0")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "beacon 1.2.0 was rolled back" in result.stdout
    assert "availability" in result.stdout
    assert "events of Flagger:" in result.stdout
    assert set(versions_of(project.host, 50)) == {"1.1.0"}
    assert "errorRate" not in stack_file(project)
    assert "version: 1.1.0" in stack_file(project)
    assert "1.2.0" not in stack_file(project)
    assert len(stack_file(project)) - len(before) < 200
    project.assert_unchanged()
    refused = command(project, "release", "--version=1.2.0")
    assert refused.returncode == 2
    assert "VERSION=1.2.0 was rolled back at" in refused.stderr
    assert "Flagger" in project.make("history").stdout


def start(project: Project, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command whose output can be read."""
    name, *options = arguments
    return subprocess.Popen(
        [".venv/bin/python", "-u", "-m", "commands", name, f"--stack={project.stack}", *options],
        cwd=project.folder,
        env=dict(project.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_changed_configuration_is_a_release_that_can_be_paused_and_promoted(
    project: Project,
) -> None:
    with project.service() as service:
        service["config"]["message"] = "changed"
        # A step must last longer than `make pause` takes.
        service["release"]["progressive"]["intervalSeconds"] = 40
    with steady_load(project.host) as load:
        following = start(project, "up")
        read_until("20 %, step 1 of 2", following)
        project.make("pause")
        assert "paused: true" in stack_file(project)
        weights = {weight(project) for _ in range(5) if time.sleep(5) is None}
        assert weights == {20}
        project.make("promote")
        output, _ = following.communicate(timeout=300)
    assert following.returncode == 0, output
    assert load.failures == []
    assert "paused" not in stack_file(project)
    assert "analysis" not in stack_file(project)
    project.assert_unchanged()


def test_a_rollback_in_progress_restores_the_version_and_ends_the_command_that_follows(
    project: Project,
) -> None:
    before = stack_file(project)
    with steady_load(project.host) as load:
        following = start(project, "release", "--version=1.3.0")
        read_until("20 %, step 1 of 2", following)
        project.make("rollback")
        output, _ = following.communicate(timeout=300)
    assert following.returncode == 1, output
    assert "make rollback" in output
    assert load.failures == []
    assert set(versions_of(project.host, 50)) == {"1.1.0"}
    assert "1.3.0" not in stack_file(project)
    assert "analysis" not in stack_file(project)
    assert len(stack_file(project)) - len(before) < 200
    project.assert_unchanged()


def weight(project: Project) -> int:
    path = "jsonpath={.status.canaryWeight}"
    return int(project.kubectl("get", "canary", "beacon-progressive", "-o", path) or 0)
