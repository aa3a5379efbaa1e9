"""``pulumi new`` with this repository as the template."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.cluster.project import CHECKOUT
from tests.cluster.pulumi_cli import PulumiCli
from tests.unit.commands.repository import Repository

NEEDS_NO_GIT = ("test_render.py", "test_program.py")


@pytest.fixture(scope="module")
def made(cli: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project of another name, and what the CLI said."""
    folder = tmp_path_factory.mktemp("template")
    template = folder / "slipway"
    template.mkdir()
    Repository(template)
    pulumi = PulumiCli(cli, folder / "home", folder / "state", "test")
    said = pulumi.run(
        folder,
        *("new", str(template), "--yes", "--generate-only"),
        *("--name", "shop", "--description", "A shop", "--dir", str(folder / "shop")),
    )
    pulumi.run(folder / "shop", "stack", "init", "dev")
    for key, value in (
        ("service.name", "shop"),
        ("namespace.name", "shop-dev"),
        ("routing.host", "shop.localhost"),
    ):
        pulumi.run(folder / "shop", "config", "set", "--path", f"slipway:{key}", value)
    return folder / "shop", said


def test_the_new_project_has_the_name_and_is_no_template(made: tuple[Path, str]) -> None:
    project = yaml.safe_load((made[0] / "Pulumi.yaml").read_text())
    assert (project["name"], project["description"]) == ("shop", "A shop")
    assert "template" not in project


def test_the_cli_says_how_to_go_on(made: tuple[Path, str]) -> None:
    assert "pulumi config set --path slipway:routing.host" in made[1]
    assert "make up" in made[1]


def test_setting_a_key_by_its_path_keeps_the_keys_beside_it(made: tuple[Path, str]) -> None:
    before = yaml.safe_load((CHECKOUT / "Pulumi.dev.yaml").read_text())["config"]
    after = yaml.safe_load((made[0] / "Pulumi.dev.yaml").read_text())["config"]
    assert after["slipway:routing"] == {**before["slipway:routing"], "host": "shop.localhost"}
    assert after["slipway:namespace"]["name"] == "shop-dev"


def test_the_new_project_renders_under_its_own_names(
    made: tuple[Path, str], tmp_path: Path
) -> None:
    rendered = subprocess.run(
        [sys.executable, "render.py", "--stack", "dev", "--out", str(tmp_path / "out")],
        cwd=made[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert rendered.returncode == 0, rendered.stderr
    names = {file.name.partition("-")[2] for file in (tmp_path / "out").glob("*.yaml")}
    assert {"namespace-shop-dev.yaml", "deployment-shop-stable.yaml"} <= names


def test_the_new_project_passes_its_tests(made: tuple[Path, str]) -> None:
    (made[0] / ".venv").symlink_to(sys.prefix)
    tested = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"tests/unit/{name}" for name in NEEDS_NO_GIT),
            *("tests/unit/components", "tests/unit/settings"),
        ],
        cwd=made[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout[-4000:]
