"""The ground that the cluster tests stand on, and stacks of their own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from local.environment import environment
from local.plugins.install import PROGRAMS
from tests.cluster.project import CHECKOUT, Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def ground() -> Mapping[str, str]:
    """The variables of a machine on which the node, the registry and the builder run."""
    subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=True)
    return {**os.environ, **environment()}


@pytest.fixture(scope="module")
def project(
    ground: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A stack that a module's tests share, destroyed at the end whatever became of it."""
    folder: Path = tmp_path_factory.mktemp("project")
    project = Project.copy(folder, f"test-{secrets.token_hex(3)}", ground)
    yield project
    project.make("down")
    project.run("pulumi", "stack", "rm", "--yes", "--force", "--stack", project.stack)


@pytest.fixture(scope="session")
def cli() -> Mapping[str, str]:
    """The variables of a machine that has the Pulumi CLI and its plugins; no node is needed."""
    variables = {**os.environ, **environment()}
    subprocess.run([sys.executable, "-m", "local", "build", *PROGRAMS], cwd=CHECKOUT, check=True)
    return variables
