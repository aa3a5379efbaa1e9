"""Values of stack files, as the Pulumi CLI reads them."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from commands.new_env import create
from commands.stack_file import remove_encryption_salt
from settings import stack_file
from settings.stack_config import read
from settings.stack_file import path_of
from tests.cluster.pulumi_cli import PulumiCli
from tests.unit.settings.test_yaml_reader import ACCEPTED


def test_the_cli_reads_the_same_values(cli_environment: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    pulumi = PulumiCli(cli_environment, tmp_path / "home", tmp_path / "state", "test")
    pulumi.run(tmp_path, "stack", "init", "test")
    lines = (f"    key{number}: {spelling}\n" for number, spelling in enumerate(ACCEPTED))
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(f"config:\n  slipway:section:\n{''.join(lines)}")
    config = json.loads(pulumi.run(tmp_path, "config", "--json", "--stack", "test"))
    assert config["slipway:section"]["objectValue"] == read(file)["section"]


def test_the_cli_keeps_the_comments_of_a_new_environment(
    cli_environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(path_of("prod"), tmp_path)
    monkeypatch.setattr(stack_file, "PROJECT_FOLDER", tmp_path)
    create("staging", "prod")
    file = tmp_path / "Pulumi.staging.yaml"
    written = [line for line in file.read_text().splitlines() if line]
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    pulumi = PulumiCli(cli_environment, tmp_path / "home", tmp_path / "state", "test")
    pulumi.run(tmp_path, "stack", "init", "staging")
    for number in range(2):
        pulumi.run(tmp_path, "config", "set", "--stack", "staging", "other:key", str(number))
        pulumi.run(tmp_path, "config", "rm", "--stack", "staging", "other:key")
        remove_encryption_salt("staging")
    # It removes empty lines.
    assert [line for line in file.read_text().splitlines() if line] == written
