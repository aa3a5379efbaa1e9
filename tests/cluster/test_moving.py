"""Moving a stack between backends, as described in docs/moving.md."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster.pulumi_cli import PulumiCli

PROGRAM = """\
import pulumi
import pulumi_random

password = pulumi_random.RandomPassword("token", length=32)
pulumi.export("token", password.result)
pulumi.export("given", pulumi.Config().get_secret("given"))
"""
STACK = ("--stack", "dev")


class Move:
    """A project, its stack in a first backend, and a second backend with its own home."""

    def __init__(
        self, cli_environment: Mapping[str, str], folder: Path, second_passphrase: str
    ) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        (self.folder / "Pulumi.yaml").write_text("name: moved\nruntime: python\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.first = PulumiCli(cli_environment, folder / "home", folder / "first", "one")
        self.second = PulumiCli(
            cli_environment, folder / "home2", folder / "second", second_passphrase
        )
        self.first.run(self.folder, "stack", "init", "dev")
        self.first.run(self.folder, "config", "set", "--secret", "given", "hunter2", *STACK)
        self.first.run(self.folder, "up", "--yes", *STACK)
        self.outputs = self._outputs(self.first)

    def _outputs(self, cli: PulumiCli) -> str:
        return cli.run(self.folder, "stack", "output", "--json", "--show-secrets", *STACK)

    def moved_outputs(self) -> str:
        """Return the outputs of the stack in the second backend."""
        return self._outputs(self.second)


def test_a_stack_is_moved_with_its_passphrase(
    cli_environment: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli_environment, tmp_path, "one")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--file", file, *STACK)
    assert "hunter2" not in Path(file).read_text()
    move.second.run(move.folder, "stack", "init", "dev")
    move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
    assert move.moved_outputs() == move.outputs
    assert "hunter2" in move.outputs
    move.second.run(move.folder, "preview", "--expect-no-changes", *STACK)


def test_a_stack_is_moved_after_a_change_of_its_passphrase(
    cli_environment: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli_environment, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    change = ("stack", "change-secrets-provider", "passphrase", *STACK)
    move.first.run(move.folder, *change, typed="two\ntwo\n")
    changed = PulumiCli(cli_environment, tmp_path / "home", tmp_path / "first", "two")
    changed.run(move.folder, "stack", "export", "--file", file, *STACK)
    move.second.run(move.folder, "stack", "init", "dev")
    move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
    assert move.moved_outputs() == move.outputs
    move.second.run(move.folder, "preview", "--expect-no-changes", *STACK)


def test_an_import_with_another_passphrase_is_refused(
    cli_environment: Mapping[str, str], tmp_path: Path
) -> None:
    move = Move(cli_environment, tmp_path, "two")
    file = str(tmp_path / "dev.json")
    move.first.run(move.folder, "stack", "export", "--file", file, *STACK)
    (move.folder / "Pulumi.dev.yaml").unlink()
    move.second.run(move.folder, "stack", "init", "dev")
    with pytest.raises(AssertionError, match="passphrase"):
        move.second.run(move.folder, "stack", "import", "--file", file, *STACK)
