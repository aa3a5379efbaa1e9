"""Values of stack files, as the Pulumi CLI reads them."""

import json
from collections.abc import Mapping
from pathlib import Path

from settings.stack_file import read
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
