"""Values of a stack's configuration with their origins."""

from pathlib import Path

import pytest

from commands.config import main

PROD = """\
config:
  slipway:namespace: {name: shop}
  slipway:registry:
    host: registry.example.com
  slipway:defaults:
    autoscaling:
      minReplicas: 2
      maxReplicas: 9
  slipway:services:
    shop:
      source: .
      release: {stable: {version: 1.0.0}}
      routing: {hosts: [shop.example.com]}
"""
EAST = """\
config:
  slipway:extends: prod
  slipway:registry:
    credentials:
      username: robot
      password: {secure: "v1:abc:def"}
  slipway:services:
    shop:
      autoscaling: {minReplicas: 4}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text(PROD)
    (tmp_path / "Pulumi.east.yaml").write_text(EAST)


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        (
            "services.shop.autoscaling.minReplicas",
            ["slipway:services.shop.autoscaling.minReplicas: 4  # Pulumi.east.yaml:9"],
        ),
        (
            "slipway:services.shop.autoscaling.maxReplicas",
            ["slipway:services.shop.autoscaling.maxReplicas: 9  # Pulumi.prod.yaml:8"],
        ),
        (
            "cluster",
            [
                "slipway:cluster.context: null  # default",
                "slipway:cluster.server: null  # default",
            ],
        ),
        (
            "registry",
            [
                "slipway:registry.host: registry.example.com  # Pulumi.prod.yaml:4",
                "slipway:registry.credentials.username: robot  # Pulumi.east.yaml:5",
                "slipway:registry.credentials.password: (encrypted)  # Pulumi.east.yaml:6",
            ],
        ),
    ],
    ids=["own", "default of the base", "default", "section with a secret"],
)
def test_a_value_is_printed_with_its_file_and_line(
    capsys: pytest.CaptureFixture[str], key: str, lines: list[str]
) -> None:
    assert main(["--stack", "east", "--key", key]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_all_values_are_printed_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stack", "east"]) == 0
    printed = capsys.readouterr().out
    assert "slipway:services.shop.release.stable.version: 1.0.0  # Pulumi.prod.yaml:12" in printed
    assert "slipway:defaults" not in printed


def test_an_unknown_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    key = "services.shop.autoscaling.minReplica"
    assert main(["--stack", "east", "--key", key]) == 2
    assert "did you mean slipway:services.shop.autoscaling.minReplicas" in capsys.readouterr().err
