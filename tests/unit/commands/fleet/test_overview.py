"""Previews and the status of a fleet."""

import json
from typing import Any

import pytest

from commands.errors import FAILED
from tests.unit.commands.fleet.conftest import STACKS, FakeFleet


def rows(printed: str) -> dict[str, list[str]]:
    """The cells of each line of a table, by stack."""
    lines = [line.split("│")[1:-1] for line in printed.splitlines() if line.startswith("│")]
    return {cells[2].strip(): [cell.strip() for cell in cells] for cells in lines}


def test_the_previews_of_all_stacks_are_a_table_with_unequal_ones_marked(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.declare("1.1.0")
    fleet.behave(north1={"changes": {"create": 2, "delete": 1, "same": 39}}, north2={"code": 1})
    assert fleet.run("preview") == FAILED
    printed = capsys.readouterr().out
    found = rows(printed)
    moves = "shop 1.0.0 -> 1.1.0"
    assert found["east1"] == ["first", "east", "east1", "0", "1", "0", "0", "40", moves, ""]
    assert found["north1"] == [
        "others",
        "north",
        "north1",
        "2",
        "0",
        "0",
        "1",
        "39",
        moves,
        "differs",
    ]
    assert found["north2"][3:] == ["-"] * 5 + [moves, "failed"]
    assert "north2 failed: pulumi preview of north2 failed" in printed
    assert sorted(fleet.started("preview")) == sorted(STACKS)


def test_the_status_of_all_stacks_has_versions_pods_and_the_last_release(
    fleet: FakeFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    release: dict[str, Any] = {
        "version": "1.0.0",
        "strategy": "rolling",
        "started": "2026-01-01T10:00:00Z",
        "ended": "2026-01-01T10:01:00Z",
        "result": "rolledBack",
    }
    records = {"data": {"releases.json": json.dumps([release])}}
    (fleet.root / "clusters" / "east2" / "shop-releases").write_text(json.dumps(records))
    fleet.checkpoint("north1").write_text('{"version": 3, "checkpoint": {"latest": null}}')
    cluster = fleet.root / "clusters" / "north2"
    cluster.rename(cluster.with_name("gone"))
    assert fleet.run("status") == FAILED
    printed = capsys.readouterr().out
    found = rows(printed)
    assert found["east1"] == ["first", "east", "east1", "shop", "stable", "1.0.0", "-", "0/0", "-"]
    assert found["east2"][-1] == "1.0.0 rolled back 2026-01-01T10:01:00Z"
    assert found["north1"][3] == "not deployed"
    assert found["north2"][3] == "not readable"
    assert 'north2: cannot read the cluster: error: context "north2" does not exist' in printed
