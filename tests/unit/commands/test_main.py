"""Order of checks, prerequisites, lock and deployment in a command."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from commands import __main__ as commands
from commands import deployer, release
from commands.errors import BAD_INPUT
from commands.followed_release import FollowedRelease, Outcome
from commands.pending_release import PendingRelease
from commands.progressive_releases import ProgressiveReleases
from commands.release_records import ReleaseRecords
from commands.stack_lock import hold_lock
from local.layout import Layout
from settings import Settings
from tests.unit.commands.canary_states import state
from tests.unit.stacks import BLUE_GREEN, CANARY, DIGEST, settings

PINNED = {"strategy": "canary", "stable": {"version": "1.0.0", "digest": DIGEST}}


ARABIC_10 = "\u0661\u0660"


class Machine:
    """Settings, and the recorded calls of a command."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.settings = settings(release=PINNED)
        self.checks_sources = False
        self.while_waiting: Settings | None = None
        self.when_locked: Callable[[], None] = lambda: None

    def load(self, *_: object, check_sources: bool = False) -> Settings:
        self.checks_sources |= check_sources
        return self.settings

    def up(self, *_: object) -> None:
        self.done.append("up")

    @contextmanager
    def hold_lock(self, *arguments: Any) -> Iterator[None]:
        with hold_lock(*arguments):
            self.done.append("lock")
            self.when_locked()
            if self.while_waiting is not None:
                self.settings = self.while_waiting
            yield


@pytest.fixture
def machine(tmp_path, tmp_path_factory, monkeypatch, no_kubectl):
    made = Machine()
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {slipway:services: {beacon: {}}}\n")
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    # Short enough for the sockets in it, whatever a test is called.
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr(commands, "load", made.load)
    monkeypatch.setattr(deployer, "load", made.load)
    monkeypatch.setattr(deployer.Capacity, "restore", lambda *_: None)
    monkeypatch.setattr(deployer.ChangedConfig, "_read", lambda _: ())
    monkeypatch.setattr(deployer.kubectl, "workloads", lambda *_, **__: [])
    monkeypatch.setattr(commands.Stack, "tainted", lambda _: ())
    monkeypatch.setattr(commands.Stack, "keep_moved_back", lambda *_: None)
    monkeypatch.setattr(commands.Stack, "releases", lambda *_: iter(()))
    monkeypatch.setattr(commands, "hold_lock", made.hold_lock)
    monkeypatch.setattr(
        commands.Prerequisites, "prepare", lambda self, **how: made.done.append(f"prepare {how}")
    )
    monkeypatch.setattr(commands.Prerequisites, "lacks_images", lambda _: False)
    monkeypatch.setattr(commands.Prerequisites, "has_own_node", True)
    monkeypatch.setattr(commands.Stack, "select", lambda *_: None)
    monkeypatch.setattr(commands.Stack, "up", made.up)
    monkeypatch.setattr(commands.Stack, "deployed_configuration", lambda _: nullcontext())
    monkeypatch.setattr(commands.Deployer, "status", lambda *_, **__: None)
    monkeypatch.setattr(
        release.Release,
        "rollback",
        lambda self, _, **__: str(self._service.release.stable.version),
    )
    monkeypatch.setattr(commands.Stack, "outputs", lambda _: {})
    monkeypatch.setattr(ReleaseRecords, "_read", lambda *_: [])
    monkeypatch.setattr(ReleaseRecords, "_write", lambda *_: None)
    return made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["commands", *arguments])
    return commands.main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["canary", "--version=1.1.0", "--weight=101"], "WEIGHT=101: use a whole number"),
        (["canary", "--version=1.1.0", "--weight=-1"], "WEIGHT=-1: use a whole number from 0 to"),
        (["canary", "--version=1.1.0", "--weight=ten"], "WEIGHT=ten: use a whole number"),
        (["canary", "--version=1.1.0", f"--weight={ARABIC_10}"], f"WEIGHT={ARABIC_10}: use a"),
        (["canary", "--weight=10"], "VERSION= is not a version"),
        (["canary", "--version=1.0.0", "--weight=10"], "VERSION=1.0.0 is the stable version"),
        (["promote"], "there is no canary"),
        (["release"], "VERSION= is not a version"),
        (["release", "--version=1.1.0", "--weight=101"], "WEIGHT=101: use a whole number"),
        (["release", "--version=1.0.0"], "VERSION=1.0.0 is the stable version"),
        (["pause"], "strategy is 'canary' in Pulumi.dev.yaml: only a release with 'progressive'"),
        (["resume"], "only a release with 'progressive'"),
        (["rollback", "--version=latest"], "VERSION=latest is not a version"),
        (["up", "--stack=Pulumi.dev.yaml"], "use the stack's name, dev"),
        (["up", "--plan=out/none.json"], "PLAN=out/none.json does not exist"),
        (["down", "--stack=./Pulumi.dev.yml"], "use the stack's name, dev"),
    ],
)
def test_bad_input_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys, arguments, message
):
    assert run(monkeypatch, *arguments) == BAD_INPUT
    assert message in capsys.readouterr().err
    assert machine.done == []


@pytest.mark.parametrize("command", ["up", "preview", "down", "dev", "release", "rollback"])
def test_pulumi_does_not_touch_a_stack_that_argo_cd_owns(machine, monkeypatch, capsys, command):
    delivery = {"mode": "gitops", "repository": "https://git.example.com/a.git", "path": "prod"}
    machine.settings = settings(release=PINNED, delivery=delivery)
    assert run(monkeypatch, command) == BAD_INPUT
    message = capsys.readouterr().err
    assert 'slipway:delivery.mode is "gitops": use "pulumi" to deploy with Pulumi' in message
    assert "Argo CD owns the stack, and syncs prod of https://git.example.com/a.git" in message
    assert machine.done == []


def test_a_canary_with_the_rolling_strategy_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys
):
    machine.settings = settings()
    assert run(monkeypatch, "canary", "--version=1.1.0", "--weight=10") == BAD_INPUT
    assert "needs 'canary'" in capsys.readouterr().err
    assert machine.done == []


def test_an_unconfirmed_deletion_is_refused_before_anything_is_prepared(
    machine, monkeypatch, capsys
):
    monkeypatch.setattr(commands.Prerequisites, "has_own_node", False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert run(monkeypatch, "down") == BAD_INPUT
    assert "ARGS=--yes" in capsys.readouterr().err
    assert machine.done == []


@pytest.mark.parametrize(
    ("command", "expected"), [("up", True), ("status", False), ("history", False)]
)
def test_only_a_command_that_runs_the_program_checks_the_sources(
    machine, monkeypatch, command, expected
):
    assert run(monkeypatch, command) == 0
    assert machine.checks_sources is expected


def test_a_given_version_may_need_a_builder(machine, monkeypatch):
    assert run(monkeypatch, "rollback", "--version=0.9.0") == 0
    how = {"builds": True, "another_version": True}
    assert machine.done == [f"prepare {how}", "lock", "up"]


def test_a_rollback_switches_the_requests_before_anything_is_prepared(machine, monkeypatch, capsys):
    def switch(self: Any, service: Any, command: str) -> bool:
        machine.done.append(f"switch {service.release.beside.version}: {command}")
        machine.settings = settings(release=PINNED)
        return True

    machine.settings = settings(release=CANARY)
    monkeypatch.setattr(commands.Deployer, "switch_requests", switch)
    assert run(monkeypatch, "rollback") == 0
    how = {"builds": True, "another_version": False}
    assert machine.done == ["lock", "switch 1.1.0: rollback", f"prepare {how}", "up"]


def test_a_command_reads_the_stack_file_again_when_it_has_the_lock(machine, monkeypatch, capsys):
    promoted = {**CANARY, "stable": {"version": "1.0.1", "digest": DIGEST}}
    machine.while_waiting = settings(release=promoted)
    assert run(monkeypatch, "rollback") == 0
    assert capsys.readouterr().out == "1.0.1\n"
    how = {"builds": True, "another_version": False}
    assert machine.done == ["lock", f"prepare {how}", "up"]


@pytest.mark.parametrize("is_written", [True, False], ids=["after", "before"])
def test_a_rollback_that_another_process_completes_is_not_done_again(
    machine, monkeypatch, capsys, is_written
):
    """The command of a killed `make` goes on. It was killed after or before the change."""
    file = Layout().root / "pending-releases" / "slipway" / "dev" / "beacon.json"
    ended = settings(release=PINNED)
    if is_written:
        machine.settings = ended
        PendingRelease(file).save("rollback", {})
        machine.when_locked = PendingRelease(file).clear
    else:
        machine.settings = settings(release={**CANARY, "stable": PINNED["stable"]})
        machine.while_waiting = ended
    assert run(monkeypatch, "rollback") == 0
    assert (
        "another process completed `rollback` while this one waited for it"
        in capsys.readouterr().out
    )
    assert "up" not in machine.done


def test_a_promotion_that_another_process_completes_is_done(machine, monkeypatch, capsys):
    machine.settings = settings(release=CANARY)
    promoted = {"strategy": "canary", "stable": {"version": "1.1.0", "digest": DIGEST}}
    machine.while_waiting = settings(release=promoted)
    monkeypatch.setattr(commands.release_commands.promotion_gate, "check", lambda *_: None)
    monkeypatch.setattr(commands.Release, "check_promotion", lambda _: None)
    assert run(monkeypatch, "promote") == 0
    assert "another process completed `promote`" in capsys.readouterr().out


def test_a_switch_that_another_process_completes_is_done(machine, monkeypatch, capsys):
    idle = {"version": "1.1.0", "digest": DIGEST}
    machine.settings = settings(release={**BLUE_GREEN, "idle": idle})
    previous = {**BLUE_GREEN["stable"], "wasLive": True}
    machine.while_waiting = settings(release={**BLUE_GREEN, "stable": idle, "idle": previous})
    monkeypatch.setattr(commands.Release, "check_promotion", lambda _: None)
    assert run(monkeypatch, "promote") == 0
    assert "another process completed `promote`" in capsys.readouterr().out
    assert "up" not in machine.done


def test_a_command_checks_its_input_again_when_it_has_the_lock(machine, monkeypatch, capsys):
    machine.settings = settings(release=CANARY)
    machine.while_waiting = settings(release=PINNED)
    assert run(monkeypatch, "promote") == BAD_INPUT
    assert "there is no canary" in capsys.readouterr().err
    assert "up" not in machine.done


@pytest.mark.parametrize(
    ("arguments", "is_pending"), [([], False), (["--target=one"], True)], ids=["whole", "part"]
)
def test_a_release_is_pending_until_all_of_it_is_deployed(
    machine, monkeypatch, arguments, is_pending
):
    machine.settings = settings(release=PINNED)
    pending = PendingRelease(Layout().root / "pending-releases" / "slipway" / "dev" / "beacon.json")
    pending.save("rollback", {})
    assert run(monkeypatch, "up", *arguments) == 0
    assert pending.matches("rollback", {}) is is_pending


@pytest.mark.parametrize("command", ["up", "rollback"])
def test_an_update_of_what_another_stack_owns_is_refused_before_the_stack_file_is_changed(
    command: str, machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    name = machine.settings.namespace.name
    annotations = {"slipway/stack": "shop/dev"}
    owned = {"metadata": {"name": name, "uid": "1", "annotations": annotations}}
    found = [{"kind": "Namespace", **owned}]
    monkeypatch.setattr(deployer.ownership, "objects", lambda *_: found)
    monkeypatch.setattr(release.Release, "rollback", lambda *_, **__: pytest.fail("changed"))
    assert run(monkeypatch, command) == BAD_INPUT
    assert "of stack shop/dev" in capsys.readouterr().err
    assert "up" not in machine.done


def test_a_release_stays_pending_if_the_update_fails(machine, monkeypatch):
    def fail(*_: object) -> None:
        raise commands.CommandError("crashed")

    monkeypatch.setattr(commands.Stack, "up", fail)
    pending = PendingRelease(Layout().root / "pending-releases" / "slipway" / "dev" / "beacon.json")
    pending.save("rollback", {})
    assert run(monkeypatch, "up") == BAD_INPUT
    assert pending.matches("rollback", {})


@pytest.fixture
def progressive(machine, monkeypatch):
    """An update that starts a progressive release, whose outcomes a test sets."""
    started = FollowedRelease("beacon", "1.1.0", datetime.now(UTC), None, state("Progressing"))
    monkeypatch.setattr(commands.Deployer, "update", lambda *_, **__: [started])
    monkeypatch.setattr(ProgressiveReleases, "record_start", lambda *_: None)
    monkeypatch.setattr(ProgressiveReleases, "end", lambda *_: started.outcome is ROLLED_BACK)

    def restore(*_: object) -> None:
        machine.done.append("restore")

    monkeypatch.setattr(commands.release_commands, "restore", restore)

    def follow(outcome: Outcome | None) -> None:
        def end(*_: object) -> None:
            with hold_lock("slipway-dev", timeout=0):
                machine.done.append("follow")
            if outcome is None:
                raise KeyboardInterrupt
            started.outcome = outcome

        monkeypatch.setattr(ProgressiveReleases, "follow", end)

    return follow


ROLLED_BACK = Outcome.ROLLED_BACK


@pytest.mark.parametrize(
    ("outcome", "done"),
    [
        (Outcome.PROMOTED, ["follow"]),
        (Outcome.ROLLED_BACK, ["follow", "lock", "restore"]),
        (Outcome.UNDECIDED, ["follow"]),
    ],
    ids=["promoted", "rolled back", "undecided"],
)
def test_the_exit_code_is_the_outcome_of_the_release_that_is_followed_without_the_lock(
    machine, monkeypatch, progressive, outcome, done
):
    progressive(outcome)
    assert run(monkeypatch, "up") == outcome.value
    assert machine.done[2:] == done


def test_the_end_of_a_command_does_not_end_the_release(monkeypatch, capsys, progressive):
    progressive(None)
    assert run(monkeypatch, "up") == Outcome.UNDECIDED.value
    assert "the release of beacon 1.1.0 goes on in the cluster" in capsys.readouterr().out


def test_the_commands_do_not_load_the_sdk_of_pulumi_which_takes_a_second() -> None:
    code = "import sys, commands.__main__; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
