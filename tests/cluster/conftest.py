"""Fixtures of the cluster tests: environment variables, and a stack per module."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from local.environment import environment
from local.plugins.install import PROGRAMS
from tests.cluster.definitions import delete_unused_definitions
from tests.cluster.kubectl import kubectl
from tests.cluster.project import CHECKOUT, IS_SLOW, Project

SLOW = [
    "test_air_gapped.py",
    "test_autoscaling.py",
    "test_binaries.py",
    "test_certificates.py",
    "test_dns_records.py",
    "test_drill.py",
    "test_edge.py",
    "test_external_secrets.py",
    "test_fleet.py",
    "test_followed_release.py",
    "test_gitops.py",
    "test_gitops_operators.py",
    "test_host.py",
    "test_kills.py",
    "test_knative.py",
    "test_log_pipeline.py",
    "test_mesh.py",
    "test_moving.py",
    "test_operator.py",
    "test_outages.py",
    "test_progressive.py",
    "test_regions.py",
    "test_secret_values.py",
    "test_secrets_provider.py",
    "test_zero_downtime.py",
]
"""Files that keep two cores busy for minutes. They run with ``SLOW=1``, or by their name."""

collect_ignore = [] if IS_SLOW else SLOW
# They deploy the example.
collect_ignore_glob = [] if (CHECKOUT / "app").is_dir() else ["test_*", "observability"]


@pytest.fixture(scope="session")
def cluster_environment() -> Mapping[str, str]:
    """Environment variables for a running node, registry and builder."""
    subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=True)
    variables = {**os.environ, **environment()}
    # Each command would compile the program again.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


@pytest.fixture(scope="session")
def session_start() -> str:
    """Time before the first stack is created, as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="session")
def deleted_namespaces(cluster_environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Namespaces that the cluster deletes while other tests run. They are gone at the end."""
    names: list[str] = []
    yield names
    if names:
        gone = ("wait", "--for=delete", "--timeout=50s", *(f"namespace/{name}" for name in names))
        kubectl(*gone, environment=cluster_environment)


@pytest.fixture(scope="module")
def project(
    cluster_environment: Mapping[str, str],
    session_start: str,
    deleted_namespaces: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Project]:
    """A stack that the tests of a module share. It is deleted after them."""
    project = Project.copy(
        tmp_path_factory.mktemp("project"), f"test-{secrets.token_hex(3)}", cluster_environment
    )
    yield project
    if request.path.name in SLOW:  # their stacks have objects outside of their namespace
        project.make("down")
        delete_unused_definitions(session_start, cluster_environment)
    else:
        project.kubectl("delete", "namespace", project.stack, "--ignore-not-found", "--wait=false")
        deleted_namespaces.append(project.stack)
    project.remove_stack()


@pytest.fixture(scope="session")
def cli_environment() -> Mapping[str, str]:
    """Environment variables for the Pulumi CLI and its plugins, without a node."""
    variables = {**os.environ, **environment()}
    subprocess.run([sys.executable, "-m", "local", "build", *PROGRAMS], cwd=CHECKOUT, check=True)
    return variables
