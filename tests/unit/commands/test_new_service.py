"""Services that are added to a stack file."""

import re
from pathlib import Path
from typing import Any

import pytest

from commands.errors import BAD_INPUT
from commands.new_service import main
from settings import load

STACK_FILE = """\
# The environment.
config:
  slipway:namespace: {name: shop} # ours
  slipway:registry:
    host: localhost:5000
  slipway:services:
    # Takes the orders.
    orders:
      source: orders
      release:
        stable:
          version: "1.0.0" # as tested
      routing:
        hosts: [orders.example.com]
    # The end of the services.
  # And the rest.
  slipway:network:
    proxyNamespace: proxy
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the sources orders and hello."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK_FILE)
    for source in ("orders", "hello"):
        (tmp_path / source).mkdir()
        (tmp_path / source / "go.mod").write_text(f"module {source}\n\ngo 1.25\n")
        (tmp_path / source / "main.go").write_text("package main\n\nfunc main() {}\n")
    return tmp_path


def add(name: str = "hello", source: str = "hello", *options: str) -> int:
    return main(["--name", name, "--source", source, *options])


def text(project: Path) -> str:
    return (project / "Pulumi.dev.yaml").read_text()


def test_the_other_lines_of_the_file_are_unchanged(project: Path) -> None:
    assert add() == 0
    before, added, after = re.split(r"(    hello:\n(?:      .*\n)+)", text(project))
    assert before + after == STACK_FILE
    assert "        hosts: [hello.example.com]\n" in added


@pytest.mark.parametrize("services", ["", "  slipway:services: {}\n"])
def test_the_first_service_of_a_stack_file_can_be_added(project: Path, services: str) -> None:
    stack_file = f"""\
config:
  slipway:namespace: {{name: shop}}
  slipway:registry: {{host: localhost:5000}}
{services}"""
    (project / "Pulumi.dev.yaml").write_text(stack_file)
    assert add() == 0
    routing = load("dev").services["hello"].routing
    assert routing
    assert routing.hosts == ("hello.localhost",)


def test_the_service_has_the_version_of_its_source(project: Path) -> None:
    (project / "hello" / "VERSION").write_text("2.3.4\n")
    assert add() == 0
    hello = load("dev", check_sources=True).services["hello"]
    assert hello.release.stable.version == "2.3.4"
    assert hello.source == "hello"


def test_the_host_can_be_given(project: Path) -> None:
    assert add("hello", "hello", "--host", "www.example.com") == 0
    routing = load("dev").services["hello"].routing
    assert routing
    assert routing.hosts == ("www.example.com",)


def test_the_context_that_a_replaced_module_needs_is_written(project: Path) -> None:
    (project / "lib").mkdir()
    go_mod = project / "hello" / "go.mod"
    go_mod.write_text(f"{go_mod.read_text()}\nreplace example.com/lib => ../lib\n")
    assert add() == 0
    assert load("dev", check_sources=True).services["hello"].image.build.context == "."


def test_one_of_several_main_packages_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "hello" / "main.go").unlink()
    for name in ("admin", "server"):
        (project / "hello" / "cmd" / name).mkdir(parents=True)
        (project / "hello" / "cmd" / name / "main.go").write_text("package main\n")
    for given in ("", "./cmd/other"):
        assert add("hello", "hello", "--main-package", given) == BAD_INPUT
        message = capsys.readouterr().err
        assert message.startswith(f"error: MAIN_PACKAGE={given}: image.build.mainPackage is ")
        assert message.endswith("./cmd/admin or ./cmd/server\n")
        assert text(project) == STACK_FILE
    assert add("hello", "hello", "--main-package", "./cmd/server") == 0
    hello = load("dev", check_sources=True).services["hello"]
    assert hello.image.build.main_package == "./cmd/server"


def test_every_example_key_is_valid_with_its_default(project: Path) -> None:
    assert add() == 0
    written = text(project)
    expected = load("dev").services["hello"]
    examples = re.findall(r"(?m)^ +#(\w+): ", written)
    assert len(examples) > 5
    for key in examples:
        (project / "Pulumi.dev.yaml").write_text(written.replace(f"#{key}: ", f"{key}: "))
        assert load("dev").services["hello"] == expected, key


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Hello", "hello"), "NAME=Hello is not a name of a service: use a DNS label"),
        (("orders", "hello"), "Pulumi.dev.yaml has a service orders already"),
        (("hello", "nowhere"), "SOURCE=nowhere is not a folder"),
        (
            ("hello", "hello", "--host", "?"),
            'slipway:services.hello.routing.hosts[0] is "?": use a DNS',
        ),
        (("hello", "hello", "--host", "orders.example.com"), "use other hosts, or another path"),
        (("hello", "hello", "--stack", "nowhere"), "Pulumi.nowhere.yaml has an error"),
    ],
)
def test_invalid_input_is_refused_and_the_file_is_unchanged(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: Any, message: str
) -> None:
    assert add(*arguments) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert text(project) == STACK_FILE
