"""Services that are removed from the stack files."""

from pathlib import Path

import pytest

from commands.errors import BAD_INPUT
from commands.remove_service import main
from settings import load

ORDERS = """\
    # Takes the orders.
    orders:
      source: orders
      release: {stable: {version: 1.0.0}}
      routing: {hosts: [orders.example.com]}
"""
STACK_FILE = """\
config:
  slipway:namespace: {name: hello-dev} # ours
  slipway:registry: {host: "localhost:5000"}
  slipway:services:
    hello:
      source: hello
      release: {stable: {version: 1.0.0}}
      routing: {hosts: [hello.example.com]}
"""
END = """\
  # And the rest.
  slipway:network: {proxyNamespace: proxy}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two stacks of the services hello and orders, and prod of hello only."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    for stack in ("dev", "test"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(STACK_FILE + ORDERS + END)
    (tmp_path / "Pulumi.prod.yaml").write_text(STACK_FILE + END)
    (tmp_path / "Pulumi.new.yaml").write_text("encryptionsalt: v1:a\n")
    for source in ("hello", "orders"):
        (tmp_path / source).mkdir()
    return tmp_path


def remove(name: str, *options: str) -> int:
    return main(["--name", name, *options])


def test_a_service_is_removed_from_every_stack_file(project: Path) -> None:
    assert remove("orders") == 0
    for stack in ("dev", "test"):
        text = (project / f"Pulumi.{stack}.yaml").read_text()
        assert text.replace("    # Takes the orders.\n", "") == STACK_FILE + END
    assert (project / "orders").is_dir()


def test_without_a_service_the_namespace_is_named_after_the_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remove("hello", "--delete-source", "1") == 0
    rest = STACK_FILE[: STACK_FILE.index("  slipway:services:")] + END
    text = (project / "Pulumi.prod.yaml").read_text()
    assert text == rest.replace("hello-dev", "slipway-dev")
    assert not (project / "hello").exists()
    assert load("dev").namespace.name == "hello-dev"
    assert capsys.readouterr().out.splitlines() == [
        "Pulumi.dev.yaml: service hello is removed",
        "Pulumi.prod.yaml: service hello is removed",
        "Pulumi.prod.yaml: slipway:namespace.name: hello-dev -> slipway-dev",
        "Pulumi.test.yaml: service hello is removed",
        "hello/ is deleted",
    ]


@pytest.mark.parametrize(
    ("orders", "options", "message"),
    [
        ("source: orders", ("nobody",), "NAME=nobody is not a service of any stack file"),
        ("source: orders", ("hello", "--delete-source", "yes"), "DELETE_SOURCE=yes: use 1"),
        (
            "source: hello",
            ("hello", "--delete-source", "1"),
            "hello is the source of another service",
        ),
        (
            "source: ../orders",
            ("orders", "--delete-source", "1"),
            "../orders is not in the project",
        ),
        ("source: .", ("orders", "--delete-source", "1"), ". is not in the project"),
        (
            "source: orders\n      peers: {to: [{service: hello}]}",
            ("hello",),
            "peers.to[0].service is",
        ),
    ],
)
def test_a_service_that_cannot_be_removed_leaves_everything_unchanged(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    orders: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    text = STACK_FILE + ORDERS.replace("source: orders", orders) + END
    (project / "Pulumi.dev.yaml").write_text(text)
    assert remove(*options) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert (project / "Pulumi.dev.yaml").read_text() == text
    assert (project / "hello").is_dir()
