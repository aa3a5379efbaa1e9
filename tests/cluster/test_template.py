"""``pulumi new`` with this repository as template."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.cluster.project import CHECKOUT
from tests.cluster.pulumi_cli import PulumiCli
from tests.unit.commands.repository import Repository

TESTS_WITHOUT_GIT = ("test_render.py", "test_program.py")


@pytest.fixture(scope="module")
def created(
    cli_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The folder of a new project, and the output of `pulumi new`."""
    folder = tmp_path_factory.mktemp("template")
    template = folder / "slipway"
    template.mkdir()
    Repository(template)
    pulumi = PulumiCli(cli_environment, folder / "home", folder / "state", "test")
    output = pulumi.run(
        folder,
        *("new", str(template), "--yes", "--generate-only"),
        *("--name", "shop", "--description", "A shop", "--dir", str(folder / "shop")),
    )
    pulumi.run(folder / "shop", "stack", "init", "dev")
    for key, value in (
        ("namespace.name", "shop-dev"),
        ("services.beacon.routing.hosts[0]", "shop.localhost"),
    ):
        pulumi.run(folder / "shop", "config", "set", "--path", f"slipway:{key}", value)
    return folder / "shop", output


def test_the_new_project_has_its_name_and_description(created: tuple[Path, str]) -> None:
    project = yaml.safe_load((created[0] / "Pulumi.yaml").read_text())
    assert (project["name"], project["description"]) == ("shop", "A shop")
    assert "template" not in project


def test_the_cli_prints_the_next_steps(created: tuple[Path, str]) -> None:
    assert "pulumi config set --path 'slipway:services.beacon.routing.hosts[0]'" in created[1]
    assert "make up" in created[1]


def test_setting_a_nested_key_keeps_the_other_keys(created: tuple[Path, str]) -> None:
    before, after = (
        yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())["config"]
        for folder in (CHECKOUT, created[0])
    )
    routing = before["slipway:services"]["beacon"]["routing"]
    expected = {**routing, "hosts": ["shop.localhost"]}
    assert after["slipway:services"]["beacon"]["routing"] == expected
    assert after["slipway:namespace"]["name"] == "shop-dev"


def test_the_new_project_renders_objects_with_its_names(
    created: tuple[Path, str], tmp_path: Path
) -> None:
    rendered = subprocess.run(
        [sys.executable, "render.py", "--stack", "dev", "--out", str(tmp_path / "out")],
        cwd=created[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rendered.returncode == 0, rendered.stderr
    names = {file.name.partition("-")[2] for file in (tmp_path / "out").glob("*.yaml")}
    assert {"namespace-shop-dev.yaml", "deployment-beacon-stable.yaml"} <= names


def test_the_new_project_passes_its_tests(created: tuple[Path, str]) -> None:
    (created[0] / ".venv").symlink_to(sys.prefix)
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"tests/unit/{name}" for name in TESTS_WITHOUT_GIT),
            *("tests/unit/components", "tests/unit/settings"),
        ],
        cwd=created[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-4000:]
