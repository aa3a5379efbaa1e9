"""Starts and ends of releases by what an update changes."""

from typing import Any

import pytest

from commands.release_transitions import Transition, new_weight, transitions
from settings import ReleaseSettings
from tests.unit.stacks import DIGEST, OTHER_DIGEST, service

OLD = {"version": "1.0.0", "digest": DIGEST}
NEW = {"version": "1.1.0", "digest": OTHER_DIGEST}
OTHER = {"version": "1.2.0", "digest": OTHER_DIGEST}
ROLLING = {"strategy": "rolling", "stable": OLD}
CANARY = {"strategy": "canary", "stable": OLD}
BLUE_GREEN = {"strategy": "blueGreen", "stable": OLD}


def release(settings: dict[str, Any]) -> ReleaseSettings:
    return service(release=settings, observability={"mode": "bundled"}).release


@pytest.mark.parametrize(
    ("before", "after", "is_rollback", "expected"),
    [
        (None, ROLLING, False, ["started 1.0.0", "promoted 1.0.0"]),
        (ROLLING, ROLLING, False, []),
        (ROLLING, {**ROLLING, "stable": NEW}, False, ["started 1.1.0", "promoted 1.1.0"]),
        ({**ROLLING, "stable": NEW}, ROLLING, True, ["rolledBack 1.1.0"]),
        (CANARY, {**CANARY, "canary": {**NEW, "weight": 5}}, False, ["started 1.1.0"]),
        (
            {**CANARY, "canary": {**NEW, "weight": 5}},
            {**CANARY, "canary": {**NEW, "weight": 50}},
            False,
            [],
        ),
        (
            {**CANARY, "canary": {**NEW, "weight": 5}},
            {**CANARY, "canary": {**OTHER, "weight": 5}},
            False,
            ["replaced 1.1.0", "started 1.2.0"],
        ),
        (
            {**CANARY, "canary": {**NEW, "weight": 5}},
            {**CANARY, "stable": NEW},
            False,
            ["promoted 1.1.0"],
        ),
        ({**CANARY, "canary": {**NEW, "weight": 5}}, CANARY, True, ["rolledBack 1.1.0"]),
        (BLUE_GREEN, {**BLUE_GREEN, "idle": NEW}, False, ["started 1.1.0"]),
        (
            {**BLUE_GREEN, "idle": NEW},
            {**BLUE_GREEN, "stable": NEW, "idle": OLD},
            False,
            ["promoted 1.1.0"],
        ),
        (
            {**BLUE_GREEN, "stable": NEW, "idle": OLD},
            {**BLUE_GREEN, "stable": OLD, "idle": NEW},
            True,
            ["rolledBack 1.1.0"],
        ),
        ({**BLUE_GREEN, "idle": NEW}, BLUE_GREEN, True, ["rolledBack 1.1.0"]),
        (
            {**BLUE_GREEN, "stable": NEW, "idle": {**OLD, "wasLive": True}},
            {**BLUE_GREEN, "stable": NEW},
            True,
            [],
        ),
        (
            {"strategy": "progressive", "stable": OLD},
            {"strategy": "progressive", "stable": NEW},
            False,
            [],
        ),
        (
            None,
            {"strategy": "progressive", "stable": OLD},
            False,
            ["started 1.0.0", "promoted 1.0.0"],
        ),
    ],
)
def test_the_change_of_a_release_starts_or_ends_releases_of_its_versions(
    before, after, is_rollback, expected
) -> None:
    found = transitions(before, release(after), is_rollback=is_rollback)
    assert [f"{one.kind} {one.version}" for one in found] == expected


def test_a_started_canary_has_its_weight_and_the_version_that_serves() -> None:
    after = release({**CANARY, "canary": {**NEW, "weight": 5}})
    assert [*transitions(CANARY, after, is_rollback=False)] == [
        Transition("started", "1.1.0", "1.0.0", 5)
    ]


@pytest.mark.parametrize(("weight", "expected"), [(5, None), (50, 50)])
def test_a_changed_weight_of_a_running_canary_is_a_step(weight, expected) -> None:
    before = {**CANARY, "canary": {**NEW, "weight": 5}}
    after = release({**CANARY, "canary": {**NEW, "weight": weight}})
    assert new_weight(before, after) == expected
    assert new_weight(CANARY, after) is None
