"""``pulumi new`` with this repository as template."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.cluster.project import CHECKOUT, IS_SLOW
from tests.cluster.pulumi_cli import PulumiCli
from tests.unit.commands.repository import Repository

FAST = ("settings/test_loader.py", "test_render.py")
UNIT_TESTS = ("components/service", "settings", "test_program.py", FAST[1]) if IS_SLOW else FAST
"""Unit tests that read files of the project, and need no git repository."""


class NewProject:
    """A project that `pulumi new` creates from this repository, with a service of the user's."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        template = folder / "slipway"
        template.mkdir()
        Repository(template)
        source = folder / "orders"
        shutil.copytree(CHECKOUT / "tests" / "cluster" / "services" / "hello", source)
        self.folder = folder / "shop"
        pulumi = PulumiCli(environment, folder / "home", folder / "state", "test")
        self.next_steps = pulumi.run(
            folder,
            *("new", str(template), "--yes", "--generate-only"),
            *("--name", "shop", "--description", "A shop", "--dir", str(self.folder)),
        )
        pulumi.run(self.folder, "stack", "init", "dev")
        (self.folder / ".venv").symlink_to(sys.prefix)
        self.python("-m", "commands.remove_service", "--name=beacon", "--delete-source=1")
        for stack in ("dev", "prod"):
            new = ("--stack", stack, "--name=orders", "--source=../orders")
            self.python("-m", "commands.new_service", *new)

    def python(self, *arguments: str) -> str:
        """Run Python in the project; it must succeed. Return its output."""
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr
        return result.stdout


@pytest.fixture(scope="module")
def created(
    cli_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> NewProject:
    return NewProject(tmp_path_factory.mktemp("template"), cli_environment)


def test_the_new_project_has_its_name_and_description(created: NewProject) -> None:
    project = yaml.safe_load((created.folder / "Pulumi.yaml").read_text())
    assert (project["name"], project["description"]) == ("shop", "A shop")
    assert "template" not in project


def test_the_cli_prints_the_next_steps(created: NewProject) -> None:
    for target in ("remove-service NAME=beacon", "new-service NAME=shop SOURCE=../shop", "up"):
        assert f"make {target}" in created.next_steps


def test_the_new_project_has_only_the_users_service(created: NewProject, tmp_path: Path) -> None:
    assert not (created.folder / "app").exists()
    created.python("render.py", "--stack=dev", f"--out={tmp_path}/out")
    files = list((tmp_path / "out").glob("*.yaml"))
    names = {file.name.partition("-")[2] for file in files}
    assert {"namespace-shop-dev.yaml", "deployment-orders-stable.yaml"} <= names
    assert not [file.name for file in files if "beacon" in file.name + file.read_text()]
    deployment = next(file for file in files if file.name.endswith("deployment-orders-stable.yaml"))
    assert "image: localhost:5000/shop/orders:0.1.0@" in deployment.read_text()
    assert created.python("-m", "commands.architecture")


def test_the_new_project_passes_its_tests_without_the_example(created: NewProject) -> None:
    folders = (f"tests/unit/{name}" for name in UNIT_TESTS)
    created.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *folders)
