"""A stack moved between backends, as docs/moving.md says."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster.pulumi_cli import PulumiCli

PROGRAM = """\
import pulumi
import pulumi_random

drawn = pulumi_random.RandomPassword("token", length=32)
pulumi.export("token", drawn.result)
pulumi.export("given", pulumi.Config().get_secret("given"))
"""
STACK = ("--stack", "dev")


class Move:
    """A project, its stack in one backend, and a second backend on another machine."""

    def __init__(self, cli: Mapping[str, str], folder: Path, second_passphrase: str) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        (self.folder / "Pulumi.yaml").write_text("name: moved\nruntime: python\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.first = PulumiCli(cli, folder / "home", folder / "first", "one")
        self.second = PulumiCli(cli, folder / "home2", folder / "second", second_passphrase)
        self.first.run(self.folder, "stack", "init", "dev")
        self.first.run(self.folder, "config", "set", "--secret", "given", "hunter2", *STACK)
        self.first.run(self.folder, "up", "--yes", *STACK)
        self.outputs = self._outputs(self.first)

    def _outputs(self, cli: PulumiCli) -> str:
        return cli.run(self.folder, "stack", "output", "--json", "--show-secrets", *STACK)

    def moved_outputs(self) -> str:
        """What the second backend has."""
        return self._outputs(self.second)


def test_with_the_passphrase_nothing_but_the_backend_changes(
    cli: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli, tmp_path, "one")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--file", file, *STACK)
    assert "hunter2" not in Path(file).read_text()
    move.second.run(move.folder, "stack", "init", "dev")
    move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
    assert move.moved_outputs() == move.outputs
    assert "hunter2" in move.outputs
    move.second.run(move.folder, "preview", "--expect-no-changes", *STACK)


def test_with_another_passphrase_secrets_are_moved_in_the_open(
    cli: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--show-secrets", "--file", file, *STACK)
    exported = json.loads(Path(file).read_text())
    assert "hunter2" in json.dumps(exported)
    del exported["deployment"]["secrets_providers"]
    Path(file).write_text(json.dumps(exported))
    (move.folder / "Pulumi.dev.yaml").unlink()
    move.second.run(move.folder, "stack", "init", "dev")
    move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
    move.second.run(move.folder, "config", "set", "--secret", "given", "hunter2", *STACK)
    assert move.moved_outputs() == move.outputs
    move.second.run(move.folder, "preview", "--expect-no-changes", *STACK)
    state = "".join(
        found.read_text() for found in (tmp_path / "second").rglob("*.json") if found.is_file()
    )
    assert "hunter2" not in state


def test_an_export_with_another_passphrase_alone_is_refused(
    cli: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--file", file, *STACK)
    (move.folder / "Pulumi.dev.yaml").unlink()
    move.second.run(move.folder, "stack", "init", "dev")
    with pytest.raises(AssertionError, match="passphrase"):
        move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
