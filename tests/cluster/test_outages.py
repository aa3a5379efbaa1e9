"""An update without the registry or the API server fails, and the next one converges.

No other cluster test runs at the same time (tests/conftest.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.layout import Layout
from tests.cluster.project import Project, changes

pytestmark = pytest.mark.timeout(900)


@contextmanager
def stopped(project: Project, process: str) -> Iterator[None]:
    """Stop a process of the node, and start it at the end of the block."""
    supervisor = ["supervisorctl", "-s", f"unix://{Layout().supervisor_socket}"]
    stop = project.run(*supervisor, "stop", process)
    assert "stopped" in stop.stdout, stop.stdout + stop.stderr
    try:
        yield
    finally:
        assert project.run("python", "-m", "local", "up").returncode == 0


def failed_update(project: Project) -> str:
    """Run an update, which must fail without a traceback, and return its output."""
    result = project.pulumi_up()
    text = result.stdout + result.stderr
    assert result.returncode != 0, text
    assert "Traceback" not in text
    return text


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.make("up")


def test_without_the_registry_the_push_fails_and_the_next_up_publishes(
    project: Project,
) -> None:
    project.edit_source("// Not published.")
    with stopped(project, "registry"):
        text = failed_update(project)
    assert "connection refused" in text
    assert "localhost:5000" in text
    assert "updated" in changes(project.make("up").stdout)


def test_without_the_api_server_the_update_fails_and_the_next_up_converges(
    project: Project,
) -> None:
    with project.service() as service:
        service.setdefault("autoscaling", {})["maxReplicas"] = 6
    with stopped(project, "kube-apiserver"):
        text = failed_update(project)
    assert "unreachable" in text
    assert "updated" in changes(project.make("up").stdout)
