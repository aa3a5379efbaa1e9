"""When a command refuses, prepares, waits for its turn, and reads the stack file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from commands import __main__ as commands
from commands import stack_file
from commands.errors import BAD_INPUT
from commands.turn import turn
from settings import Settings
from tests.unit.stacks import CANARY, DIGEST, settings

PINNED = {"strategy": "canary", "stable": {"version": "1.0.0", "digest": DIGEST}}


class Machine:
    """A stack file that a test writes, and what is done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.settings = settings(release=PINNED)
        self.while_waiting: Settings | None = None

    def load(self, *_: object) -> Settings:
        return self.settings

    def up(self, *_: object) -> None:
        self.done.append("up")

    @contextmanager
    def turn(self, *arguments: Any) -> Iterator[None]:
        with turn(*arguments):
            self.done.append("turn")
            if self.while_waiting is not None:
                self.settings = self.while_waiting
            yield


@pytest.fixture
def machine(tmp_path, tmp_path_factory, monkeypatch):
    made = Machine()
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    monkeypatch.setattr(stack_file, "PROJECT", tmp_path)
    # Short enough for the sockets in it, whatever a test is called.
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr(commands, "load", made.load)
    monkeypatch.setattr(commands, "turn", made.turn)
    monkeypatch.setattr(
        commands.Ground, "prepare", lambda self, **how: made.done.append(f"prepare {how}")
    )
    monkeypatch.setattr(commands.Ground, "lacks_images", lambda _: False)
    monkeypatch.setattr(commands.Ground, "has_own_node", True)
    monkeypatch.setattr(commands.Stack, "select", lambda _: None)
    monkeypatch.setattr(commands.Stack, "up", made.up)
    monkeypatch.setattr(commands.Run, "status", lambda _: None)
    monkeypatch.setattr(
        commands.Release, "rollback", lambda self, _: str(self._settings.release.stable.version)
    )
    return made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["commands", *arguments])
    return commands.main()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["canary", "--version=1.1.0", "--weight=101"], "WEIGHT=101 is out of bounds"),
        (["canary", "--version=1.1.0", "--weight=ten"], "WEIGHT=ten is not a whole number"),
        (["canary", "--weight=10"], "VERSION= is not a version"),
        (["canary", "--version=1.0.0", "--weight=10"], "VERSION=1.0.0 is what stable runs"),
        (["promote"], "there is no canary"),
        (["rollback", "--version=latest"], "VERSION=latest is not a version"),
        (["up", "--stack=Pulumi.dev.yaml"], "use the stack's name, dev"),
        (["down", "--stack=./Pulumi.dev.yml"], "use the stack's name, dev"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys, arguments, says
):
    assert run(monkeypatch, *arguments) == BAD_INPUT
    assert says in capsys.readouterr().err
    assert machine.done == []


def test_a_canary_of_a_stack_that_rolls_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys
):
    machine.settings = settings()
    assert run(monkeypatch, "canary", "--version=1.1.0", "--weight=10") == BAD_INPUT
    assert "needs 'canary'" in capsys.readouterr().err
    assert machine.done == []


def test_a_deletion_that_nobody_can_confirm_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys
):
    monkeypatch.setattr(commands.Ground, "has_own_node", False)
    monkeypatch.setattr(commands.sys.stdin, "isatty", lambda: False)
    assert run(monkeypatch, "down") == BAD_INPUT
    assert "ARGS=--yes" in capsys.readouterr().err
    assert machine.done == []


@pytest.mark.parametrize(
    ("arguments", "another"), [(["--version=0.9.0"], True), ([], False)], ids=["named", "before"]
)
def test_a_version_beside_those_of_the_file_may_need_a_builder(
    machine, monkeypatch, arguments, another
):
    assert run(monkeypatch, "rollback", *arguments) == 0
    how = {"builds": True, "another_version": another}
    assert machine.done == [f"prepare {how}", "turn", "up"]


def test_a_command_works_on_the_stack_file_as_it_is_once_its_turn_has_come(
    machine, monkeypatch, capsys
):
    promoted = {**CANARY, "stable": {"version": "1.0.1", "digest": DIGEST}}
    machine.while_waiting = settings(release=promoted)
    assert run(monkeypatch, "rollback") == 0
    assert capsys.readouterr().out == "1.0.1\n"
    how = {"builds": True, "another_version": False}
    assert machine.done == [f"prepare {how}", "turn", f"prepare {how}", "up"]


def test_a_command_that_waited_refuses_what_cannot_be_any_more(machine, monkeypatch, capsys):
    machine.settings = settings(release=CANARY)
    machine.while_waiting = settings(release=PINNED)
    assert run(monkeypatch, "promote") == BAD_INPUT
    assert "there is no canary" in capsys.readouterr().err
    assert "up" not in machine.done


@pytest.mark.parametrize(
    ("arguments", "stands"), [([], False), (["--target=one"], True)], ids=["whole", "a part"]
)
def test_a_move_is_noted_until_all_of_it_is_deployed(machine, monkeypatch, arguments, stands):
    machine.settings = settings(release=PINNED)
    note = commands.Note(commands.Layout().root / "moves" / "dev.json")
    note.write("rollback", {})
    assert run(monkeypatch, "up", *arguments) == 0
    assert note.says("rollback", {}) is stands


def test_an_update_that_fails_leaves_the_note_of_the_move(machine, monkeypatch):
    def fail(*_: object) -> None:
        raise commands.CommandError("crashed")

    monkeypatch.setattr(commands.Stack, "up", fail)
    note = commands.Note(commands.Layout().root / "moves" / "dev.json")
    note.write("rollback", {})
    assert run(monkeypatch, "up") == BAD_INPUT
    assert note.says("rollback", {})
