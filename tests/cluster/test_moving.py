"""A stack moved between backends, as docs/moving.md says."""

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


def test_another_passphrase_is_set_before_the_move(cli: Mapping[str, str], tmp_path: Path) -> None:
    move = Move(cli, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    change = ("stack", "change-secrets-provider", "passphrase", *STACK)
    move.first.run(move.folder, *change, typed="two\ntwo\n")
    changed = PulumiCli(cli, tmp_path / "home", tmp_path / "first", "two")
    changed.run(move.folder, "stack", "export", "--file", file, *STACK)
    move.second.run(move.folder, "stack", "init", "dev")
    move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
    assert move.moved_outputs() == move.outputs
    move.second.run(move.folder, "preview", "--expect-no-changes", *STACK)


def test_an_import_under_another_passphrase_is_refused(
    cli: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--file", file, *STACK)
    (move.folder / "Pulumi.dev.yaml").unlink()
    move.second.run(move.folder, "stack", "init", "dev")
    with pytest.raises(AssertionError, match="passphrase"):
        move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
