"""Deployment of a fleet in waves, and its rollback."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import pytest

from commands.errors import BAD_INPUT, FAILED, UNDECIDED
from tests.unit.commands.fleet.conftest import STACKS, WAVES, FakeFleet

NEW = dict.fromkeys(STACKS, "1.1.0")
OLD = dict.fromkeys(STACKS, "1.0.0")


def times(events: Sequence[dict[str, Any]], event: str, *stacks: str) -> list[float]:
    return [one["time"] for one in events if one["event"] == event and one["stack"] in stacks]


def wait_for(fleet: FakeFleet, text: str, count: int = 1) -> None:
    file = fleet.root / "events.jsonl"
    deadline = time.monotonic() + 60
    while not file.exists() or file.read_text().count(text) < count:
        assert time.monotonic() < deadline, text
        time.sleep(0.05)


def test_waves_are_deployed_in_order_and_the_stacks_of_a_wave_at_once(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    fleet.behave(**{stack: {"seconds": 0.5} for stack in STACKS})
    assert fleet.run("up") == 0
    assert fleet.deployed() == NEW
    events, others = fleet.events(), ("east2", "north1", "north2")
    assert max(times(events, "end", "east1")) < min(times(events, "start", *others))
    assert max(times(events, "start", *others)) < min(times(events, "end", *others))


def test_parallelism_limits_the_stacks_that_are_updated_at_once(fleet: FakeFleet) -> None:
    fleet.write("prod: {parallelism: 1, waves: [{name: all, stacks: [east1, east2, north1]}]}")
    fleet.behave(**{stack: {"seconds": 0.2} for stack in STACKS})
    assert fleet.run("up") == 0
    events = sorted(fleet.events(), key=lambda one: one["time"])
    assert [one["event"] for one in events] == ["start", "end"] * 3


def test_a_failed_wave_stops_the_fleet_and_the_command_says_what_is_where(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east1={"code": 1})
    assert fleet.run("up") == FAILED
    assert fleet.started() == ["east1"]
    printed = capsys.readouterr().out
    assert re.search(r"east1 +│ failed +│ shop 1\.0\.0 +│", printed)
    assert "east1 failed: up of east1 failed" in printed
    assert "wave first failed: 1 of 1 stacks, and maxFailed is 0; the logs are in out/" in printed
    assert "not touched: east2, north1, north2\n" in printed
    assert "continue with the next wave: make up FLEET=prod FROM=others\n" in printed
    (log,) = fleet.root.glob("out/fleet/prod/*-up/east1.log")
    assert log.read_text() == "error: up of east1 failed\n"


def test_no_stack_of_a_wave_is_updated_after_too_many_have_failed(fleet: FakeFleet) -> None:
    fleet.write("prod: {parallelism: 1, waves: [{name: all, stacks: [east1, east2, north1]}]}")
    fleet.behave(east1={"code": 1})
    assert fleet.run("up") == FAILED
    assert fleet.started() == ["east1"]


def test_as_many_stacks_of_a_wave_may_fail_as_max_failed_says(fleet: FakeFleet) -> None:
    fleet.write(WAVES.replace("stacks: [east1]", "stacks: [east1], maxFailed: 1"))
    fleet.behave(east1={"code": 1})
    assert fleet.run("up") == 0
    assert set(fleet.started()) == set(STACKS)
    fleet.behave(east1={"code": 1}, north1={"code": 1})
    assert fleet.run("up") == FAILED


def test_a_stack_that_was_rolled_back_by_its_own_command_is_shown_as_such(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east1={"code": 1, "restores": "1.0.0"})
    assert fleet.run("up") == FAILED
    assert "east1 rolled back: up of east1 failed" in capsys.readouterr().out


def test_an_undecided_release_has_its_exit_code(fleet: FakeFleet) -> None:
    fleet.behave(east1={"code": 2})
    assert fleet.run("up") == UNDECIDED


def test_the_next_wave_begins_after_the_pause(fleet: FakeFleet) -> None:
    fleet.write(WAVES.replace("  waves:", "  pause: 1500ms\n  waves:"))
    assert fleet.run("up") == 0
    events = fleet.events()
    pause = min(times(events, "start", "north1")) - max(times(events, "end", "east1"))
    assert pause > 1.5


def test_the_gate_observes_each_stack_of_a_wave_before_the_next_one(fleet: FakeFleet) -> None:
    fleet.write(WAVES.replace("  waves:", "  gate: 5m\n  waves:"))
    assert fleet.run("up") == 0
    found = [one for one in fleet.events() if one["event"] == "start"]
    assert [(one["command"], one["stack"]) for one in found[:2]] == [
        ("up", "east1"),
        ("gate", "east1"),
    ]
    assert [one["command"] for one in found[2:]] == ["up"] * 3 + ["gate"] * 3
    assert "--seconds=300.0" in found[1]["arguments"]


def test_a_gate_that_fails_stops_the_fleet(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.write(WAVES.replace("  waves:", "  gate: 5m\n  waves:"))
    fleet.declare("1.1.0")
    fleet.behave(east1={"gate": 1})
    assert fleet.run("up") == FAILED
    assert fleet.deployed() == {**OLD, "east1": "1.1.0"}
    assert "east1 failed: gate of east1 failed" in capsys.readouterr().out


def test_a_fleet_goes_on_from_a_wave(fleet: FakeFleet) -> None:
    assert fleet.run("up", "--from=others", "--force=1") == 0
    found = [one for one in fleet.events() if one["event"] == "start"]
    assert {one["stack"] for one in found} == {"east2", "north1", "north2"}
    assert all("--force=1" in one["arguments"] for one in found)


def test_a_rollback_brings_back_only_the_stacks_that_have_moved(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(north1={"code": 1}, north2={"code": 2})
    assert fleet.run("up") == FAILED
    assert fleet.deployed() == {**NEW, "north2": "1.0.0"}
    fleet.events()
    fleet.behave()
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == OLD
    # The update of north2 was refused.
    assert sorted(fleet.started("rollback")) == ["east1", "east2", "north1"]
    files = "Pulumi.east1.yaml Pulumi.east2.yaml Pulumi.north1.yaml"
    assert f"commit {files}:" in capsys.readouterr().out
    assert fleet.run("rollback") == 0
    assert fleet.events() == []


def test_a_rollback_begins_with_the_last_wave(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    assert fleet.run("up") == 0
    fleet.events()
    assert fleet.run("rollback") == 0
    assert fleet.started("rollback")[-1] == "east1"


def test_a_rollback_leaves_the_stacks_of_an_earlier_rollout(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    assert fleet.run("up") == 0
    fleet.declare("1.2.0")
    fleet.behave(east1={"code": 1, "restores": "1.2.0"})
    assert fleet.run("up") == FAILED
    fleet.declare("1.1.0", "east2", "north1", "north2")
    fleet.behave()
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == NEW


def test_a_rollback_returns_to_a_version_that_was_deployed_completely(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east1={"code": 1})
    assert fleet.run("up") == FAILED
    fleet.declare("1.2.0")
    assert fleet.run("up") == FAILED
    fleet.behave()
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == OLD


def test_a_rollout_that_is_continued_is_rolled_back_as_a_whole(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east2={"code": 1})
    assert fleet.run("up") == FAILED
    fleet.behave()
    assert fleet.run("up") == 0
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == OLD


def test_a_rollout_that_goes_on_from_a_wave_is_rolled_back_as_a_whole(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east1={"code": 1})
    assert fleet.run("up") == FAILED
    fleet.behave()
    assert fleet.run("up", "--from=others") == 0
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == OLD


def test_a_stack_that_was_rolled_back_alone_leaves_the_rollback_of_the_others(
    fleet: FakeFleet,
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(east2={"code": 1, "restores": "1.0.0"})
    assert fleet.run("up") == FAILED
    fleet.behave()
    assert fleet.run("up") == 0
    fleet.events()
    assert fleet.run("rollback") == 0
    assert sorted(fleet.started("rollback")) == ["east1", "north1", "north2"]
    assert fleet.deployed() == OLD


def test_a_rollback_is_refused_while_an_unreachable_stack_may_have_a_newer_rollout(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    assert fleet.run("up") == 0
    fleet.declare("1.2.0", "north2")
    cluster = fleet.root / "clusters" / "north2"
    cluster.rename(cluster.with_name("gone"))
    fleet.events()
    assert fleet.run("rollback") == FAILED
    assert "may not be the last one" in capsys.readouterr().err
    assert fleet.events() == []
    fleet.declare("1.1.0", "north2")
    assert fleet.run("rollback") == FAILED
    assert sorted(fleet.started("rollback")) == ["east1", "east2", "north1"]


def test_a_failed_rollback_does_not_stop_the_others(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    assert fleet.run("up") == 0
    fleet.behave(north1={"code": 2})
    assert fleet.run("rollback") == FAILED
    assert fleet.deployed() == {**OLD, "north1": "1.1.0"}
    assert "try again: make rollback FLEET=prod" in capsys.readouterr().out


def test_a_kubeconfig_of_another_cluster_is_refused_before_anything_is_touched(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    (fleet.root / "clusters" / "north2" / "uid").write_text("another")
    error = "north2: context north2 of the kubeconfig is another cluster"
    for command in ("up", "preview"):
        assert fleet.run(command) == BAD_INPUT
        assert error in capsys.readouterr().err
    for command in ("rollback", "status"):  # the other clusters may need them
        assert fleet.run(command) == FAILED
        assert error in capsys.readouterr().out
    assert fleet.events() == []


def test_a_cluster_that_cannot_be_reached_fails_without_the_others(fleet: FakeFleet) -> None:
    fleet.write(WAVES.replace("regions: [east, north]", "regions: [east, north], maxFailed: 1"))
    cluster = fleet.root / "clusters" / "north2"
    cluster.rename(cluster.with_name("gone"))
    assert fleet.run("up") == 0
    assert sorted(fleet.started()) == ["east1", "east2", "north1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_commands_and_says_what_is_where(
    fleet: FakeFleet, number: signal.Signals
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(north1={"seconds": 60})
    process = subprocess.Popen(
        fleet.script("up"), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(fleet, '"north1", "command": "up", "event": "start"')
    os.killpg(process.pid, number)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == FAILED
    assert times(fleet.events(), "interrupted", "north1")
    assert "others north1: interrupted, " in printed
    assert "prod: interrupted; the logs are in out/" in printed


def test_a_fleet_that_was_killed_converges_when_it_is_deployed_again(fleet: FakeFleet) -> None:
    fleet.declare("1.1.0")
    fleet.behave(north1={"seconds": 60})
    process = subprocess.Popen(fleet.script("up"), stdout=subprocess.DEVNULL)
    wait_for(fleet, '"north1", "command": "up", "event": "start"')
    process.kill()
    process.wait()
    wait_for(fleet, "interrupted")
    fleet.behave()
    assert fleet.run("up") == 0
    assert fleet.deployed() == NEW
    assert fleet.run("rollback") == 0
    assert fleet.deployed() == OLD


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("up", "--stack=dev"), "FLEET=prod and STACK=dev: use one of them"),
        (("up", "--from=other"), "FROM=other is not a wave: did you mean others?"),
        (("up", "--force=yes"), "FORCE=yes: use 1"),
        (("rollback", "--version=1.0.0"), "unrecognized arguments: --version=1.0.0"),
    ],
)
def test_bad_input_is_refused(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], error: str
) -> None:
    try:
        code = fleet.run(*arguments)
    except SystemExit as error_of_argparse:
        code = error_of_argparse.code
    assert code == BAD_INPUT
    assert error in capsys.readouterr().err
    assert fleet.events() == []
