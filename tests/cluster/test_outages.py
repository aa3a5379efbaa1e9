"""A part of the ground that is down is named, and the next `up` goes on.

These tests stop what every other test stands on: nothing else is on the node meanwhile
(tests/conftest.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.layout import Layout
from tests.cluster.project import Project, changes

pytestmark = pytest.mark.timeout(900)


@contextmanager
def stopped(project: Project, part: str) -> Iterator[None]:
    """Hold one part of the ground down."""
    supervisor = ["supervisorctl", "-s", f"unix://{Layout().supervisor_socket}"]
    stop = project.run(*supervisor, "stop", part)
    assert "stopped" in stop.stdout, stop.stdout + stop.stderr
    try:
        yield
    finally:
        assert project.run("python", "-m", "local", "up").returncode == 0


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_a_registry_that_is_down_fails_the_push_and_the_next_up_publishes(
    project: Project,
) -> None:
    project.edit_source("// Not published yet.")
    with stopped(project, "registry"):
        result = project.pulumi_up()
        text = result.stdout + result.stderr
        assert result.returncode != 0
        assert "connection refused" in text
        assert "localhost:5000" in text
        assert "Traceback" not in text
    assert "updated" in changes(project.make("up").stdout)


def test_a_cluster_that_is_down_is_one_clear_error(project: Project) -> None:
    with project.config() as config:
        config["slipway:autoscaling"]["maxReplicas"] = 6
    with stopped(project, "kube-apiserver"):
        result = project.pulumi_up()
        text = result.stdout + result.stderr
        assert result.returncode != 0
        assert "unreachable" in text
        assert "Traceback" not in text
    assert "updated" in changes(project.make("up").stdout)
