"""An update without the registry or the API server fails, and the next one converges.

A proxy that is killed returns with the weights of a release. No other cluster test runs at the same
time (tests/conftest.py).
"""

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from commands.load import Load
from local.layout import Layout
from tests.cluster.progressive import (
    FEW_PODS,
    PROXY_SECONDS,
    add_prometheus,
    host,
    loads,
    services,
    status,
)
from tests.cluster.project import NODE_BACKENDS, Project, changes, wait_until

pytestmark = pytest.mark.timeout(900)

STEPS = [18, 19, 20]
"""Weights of a release, which are almost the same: the share is measured over several steps."""


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


@pytest.fixture
def released(project: Project) -> Iterator[Mapping[str, Load]]:
    """Steady load on a progressive service of each back end, whose release is in its first step."""
    with project.config() as config:
        add_prometheus(config, project.stack)
        beacon = config["slipway:services"]["beacon"]
        beacon["slo"] = {"availability": 99}
        beacon["release"]["strategy"] = "progressive"
        beacon["autoscaling"] = FEW_PODS
        beacon["release"]["progressive"] = {
            "steps": STEPS,
            "intervalSeconds": 10,
            # Requests that the proxy loses are too few for a check, on a machine that is slow too.
            "threshold": 20,
        }
        for backend in NODE_BACKENDS:
            service = copy.deepcopy(beacon)
            service["image"] = {"repository": f"slipway/{project.stack}/{backend}"}
            service["routing"] |= {"hosts": [host(project, backend)], "backend": backend}
            config["slipway:services"][backend] = service
        del config["slipway:services"]["beacon"]
    project.make("up")
    (project.folder / "app" / "VERSION").write_text("1.1.0\n")
    with services(project) as all_services:
        for service in all_services.values():
            service["release"]["stable"]["version"] = "1.1.0"
    with loads(project, NODE_BACKENDS, rate=50) as sent:
        result = project.pulumi_up()
        assert result.returncode == 0, result.stdout + result.stderr
        wait_until("a step", lambda: all(weights(project)), seconds=60)
        yield sent


def weights(project: Project) -> list[int]:
    return [status(project, service).weight for service in NODE_BACKENDS]


def test_a_proxy_killed_during_a_release_returns_with_its_weight_and_the_release_goes_on(
    project: Project, released: Mapping[str, Load]
) -> None:
    proxy = project.run(
        *("kubectl", "get", "pods", "--namespace=ingress", "--output=name"),
        "--selector=app.kubernetes.io/name=traefik",
    ).stdout.strip()
    time.sleep(PROXY_SECONDS)
    project.run("kubectl", "delete", "--namespace=ingress", proxy, "--force", "--wait=false")
    killed = time.time()
    for load in released.values():
        wait_until("a failed request", lambda load=load: bool(load.failures), 20, 0.1)
    wait_until(
        "a step after the kill",
        lambda: all(weight == STEPS[-1] for weight in weights(project)),
        60,
    )
    stepped = time.time()
    for service, load in released.items():
        after = [one for one in load.results if killed < one.sent < stepped and not one.error]
        share = sum(one.version == "1.1.0" for one in after) / len(after)
        print(f"{service}: {len(load.failures)} failed, then {share:.1%} of {len(after)}")
        assert len(after) > 200, service
        assert STEPS[0] / 200 < share <= (STEPS[-1] + 1) / 100, service
    wait_until(
        "the promotion",
        lambda: all(status(project, one).phase == "Succeeded" for one in NODE_BACKENDS),
        120,
    )
