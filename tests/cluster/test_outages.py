"""An update without the registry or the API server fails, and the next one converges.

A proxy that is killed returns with the weights of a release. No other cluster test runs at the same
time (tests/conftest.py).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import pytest

from local.layout import Layout
from settings import RoutingBackend
from tests.cluster.project import Project, changes, wait_until
from tests.cluster.traffic import steady_load

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


@pytest.mark.parametrize("backend", get_args(RoutingBackend))
def test_a_proxy_killed_during_a_canary_returns_and_sends_it_no_more_than_its_weight(
    project: Project, backend: RoutingBackend
) -> None:
    with project.service() as service:
        service["routing"]["backend"] = backend
    project.make("up")
    project.make("canary", "VERSION=1.1.0", "WEIGHT=10", "FORCE=1")
    proxy = project.run(
        *("kubectl", "get", "pods", "--namespace=ingress", "--output=name"),
        "--selector=app.kubernetes.io/name=traefik",
    ).stdout.strip()
    with steady_load(project.host, rate=100) as load:
        project.run("kubectl", "delete", "--namespace=ingress", proxy, "--force", "--wait=false")
        killed = time.time()
        wait_until("a failed request", lambda: bool(load.failures), seconds=20, interval=0.1)
        wait_until(
            "a second without a failure",
            lambda: not any(result.error for result in load.results[-100:]),
            seconds=60,
        )
        time.sleep(10)
    after = [result for result in load.results if result.sent > killed and not result.error]
    share = sum(result.version == "1.1.0" for result in after) / len(after)
    project.make("rollback")
    print(f"{len(load.failures)} failed, then {share:.1%} of {len(after)}")
    assert len(after) > 500
    assert 0.05 < share <= 0.11
