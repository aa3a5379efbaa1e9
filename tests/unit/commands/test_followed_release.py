"""When a followed release has an outcome."""

from datetime import UTC, datetime
from typing import Any

import pytest

from commands.flagger_canary import CanaryState
from commands.followed_release import FollowedRelease, Outcome
from tests.unit.commands.canary_states import state

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
BEFORE = state("Succeeded", version="1.0.0", served="1.0.0", since=OLD)
NEW_FAILURE = state("Failed", since=NEW)


def release(first: CanaryState, before: CanaryState | None = BEFORE) -> FollowedRelease:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return FollowedRelease("beacon", "1.1.0", started, before, first)


def follow(*states: CanaryState | None, before: CanaryState | None = BEFORE) -> FollowedRelease:
    first = next(one for one in states if one is not None)
    followed = release(first, before)
    for seconds, one in enumerate(states):
        followed.advance(one, seconds)
    return followed


WAITING = state("Succeeded", since=OLD)
"""Flagger has not seen the new version yet: the phase is that of the last release."""
STEP = state("Progressing", 10, since=NEW)
PROMOTED = state("Succeeded", since=NEW, served="1.1.0")


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([WAITING, STEP, PROMOTED], Outcome.PROMOTED),
        ([WAITING, STEP, NEW_FAILURE], Outcome.ROLLED_BACK),
        ([WAITING, NEW_FAILURE], Outcome.ROLLED_BACK),
        ([WAITING, None, None, PROMOTED], Outcome.PROMOTED),
        ([WAITING, STEP], None),
        ([WAITING], None),
        ([STEP, state("Waiting", 10)], None),
        ([STEP, state("Promoting", 50, served="1.1.0")], None),
        # Flagger has changed the primary, whose new pods are not ready.
        ([STEP, state("Succeeded", since=NEW, served="1.1.0", primary_ready=1)], None),
        # Another analysis follows: Flagger has promoted the pods before the last change.
        ([STEP, state("Succeeded", since=NEW)], None),
    ],
)
def test_flagger_decides_a_release_and_nothing_else_ends_it(states, outcome) -> None:
    assert follow(*states).outcome is outcome


def test_the_failure_of_an_earlier_release_is_not_that_of_this_one() -> None:
    failed_before = state("Failed", version="1.0.5", since=OLD)
    waiting = state("Failed", since=OLD)
    assert follow(waiting, waiting, before=failed_before).outcome is None
    assert follow(waiting, STEP, NEW_FAILURE, before=failed_before).outcome is Outcome.ROLLED_BACK


def test_a_failure_that_an_interrupted_command_did_not_see_is_seen_by_the_next_one() -> None:
    failed = state("Failed", since=OLD)
    assert follow(failed, before=failed).outcome is Outcome.ROLLED_BACK


def test_the_first_deployment_ends_when_the_primary_is_ready() -> None:
    first = state("Initializing", served="1.1.0")
    assert follow(first, before=None).outcome is None
    done = state("Initialized", served="1.1.0")
    assert follow(first, done, before=None).outcome is Outcome.PROMOTED


def test_a_release_that_another_command_changes_is_not_decided() -> None:
    followed = follow(STEP, state("Progressing", 10, version="1.2.0"))
    assert (followed.outcome, followed.is_replaced) == (Outcome.UNDECIDED, True)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ({"phase": "Succeeded", "since": OLD}, "Flagger has not begun it"),
        ({"phase": "Progressing", "weight": 10, "failed": 1}, "step 1 of 2, 1 of 3 checks failed"),
        ({"phase": "Progressing", "weight": 10, "suspend": True}, "`make resume` continues it"),
        ({"phase": "Waiting"}, "it waits for an approval: `make resume` gives it"),
    ],
)
def test_after_its_deadline_a_release_is_not_decided_and_the_reason_is_given(
    last: dict[str, Any], reason: str
) -> None:
    one = state(**last)
    followed = release(one)
    followed.advance(one, 1)
    followed.advance(one, one.deadline_seconds)
    is_begun = last["phase"] != "Succeeded"
    assert (followed.outcome is None) is is_begun
    followed.advance(None, one.deadline_seconds + 2)
    assert followed.outcome is Outcome.UNDECIDED
    assert reason in followed.reason


def test_a_rollback_names_the_violated_gate_or_what_flagger_says() -> None:
    followed = release(STEP)
    followed.advance(STEP, 1)
    followed.violated = "errors 6.8 > 1"
    followed.advance(NEW_FAILURE, 2)
    assert (followed.reason, followed.weight) == ("errors 6.8 > 1", 10)
    assert follow(STEP, NEW_FAILURE).reason == "it is Failed"
