"""Which progressive releases an update starts, and how their ends are recorded."""

from collections.abc import Mapping
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from commands import progressive_releases
from commands.errors import FAILED, CommandError
from commands.flagger_canary import Canaries, CanaryState
from commands.followed_release import FollowedRelease, Outcome
from commands.progressive_releases import ProgressiveReleases
from commands.release_records import ReleaseRecord, ReleaseRecords
from settings import Settings
from tests.unit.commands.canary_states import state
from tests.unit.stacks import DIGEST, settings

OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
STARTED = "2026-01-01T00:00:00Z"
SERVING = state("Succeeded", version="1.0.0", served="1.0.0", since=OLD)
RUNNING = ReleaseRecord("1.1.0", "progressive", STARTED)


class Records:
    """Records that keep what is written."""

    def __init__(self, *records: ReleaseRecord) -> None:
        self.records = records
        self.written: list[tuple[str, Any]] = []

    def newest(self, _: str, version: str) -> ReleaseRecord | None:
        return next((one for one in self.records if one.version == version), None)

    def start(self, *arguments: Any) -> None:
        self.written.append(("start", arguments[1]))

    def end(self, *_: object, result: str, decision: Any, digest: str | None, **how: Any) -> None:
        assert how == {"previous": "1.0.0"}
        self.written.append((result, (decision.by, decision.reason, digest)))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, CanaryState]]:
    """The states of the services, one mapping for each look at the cluster."""
    states: list[Mapping[str, CanaryState]] = []

    def read(*_: object) -> Mapping[str, CanaryState]:
        return states.pop(0) if len(states) > 1 else states[0]

    monkeypatch.setattr(Canaries, "read", read)
    monkeypatch.setattr(Canaries, "events", lambda *_: [])
    monkeypatch.setattr(Canaries, "gates", lambda *_: ())
    return states


def stack(strategy: str = "progressive") -> Settings:
    return settings(
        release={"strategy": strategy, "stable": {"version": "1.1.0"}},
        observability={"mode": "bundled"},
    )


def releases(records: Records, of: Settings | None = None) -> ProgressiveReleases:
    return ProgressiveReleases(of or stack(), {}, cast("ReleaseRecords", records))


@pytest.mark.parametrize(
    ("before", "after", "records", "is_followed"),
    [
        (SERVING, state("Progressing", 10), (), True),
        (SERVING, state("Succeeded", since=OLD), (), True),
        (None, state("Initializing", served="1.1.0"), (), True),
        (SERVING, SERVING, (), False),
        # A command was interrupted before Flagger has seen its update, or after its rollback.
        (state("Succeeded", since=OLD), state("Succeeded", since=OLD), (RUNNING,), True),
        (state("Failed", since=OLD), state("Failed", since=OLD), (), True),
        # The primary differs, but not because of a release.
        (state("Succeeded", since=OLD), state("Succeeded", since=OLD), (), False),
    ],
)
def test_a_release_is_followed_if_the_update_starts_it_or_it_has_not_ended(
    cluster, before, after, records, is_followed
) -> None:
    cluster[:] = [{"beacon": before} if before else {}, {"beacon": after}]
    one = releases(Records(*records))
    found = one.started(stack().services.values())
    assert [(each.service, each.version) for each in found] == [("beacon", "1.1.0")] * is_followed


def test_a_paused_release_is_not_waited_for(cluster) -> None:
    cluster[:] = [{"beacon": SERVING}, {"beacon": state("Progressing", 10, suspend=True)}]
    (one,) = releases(Records()).started(stack().services.values())
    assert (one.outcome, "make resume" in one.reason) == (Outcome.UNDECIDED, True)


def test_the_releases_of_other_strategies_are_not_followed(cluster) -> None:
    cluster[:] = [{"beacon": state("Progressing", 10)}]
    rolling = stack("rolling")
    assert releases(Records(), rolling).started(rolling.services.values()) == []


def ended(outcome: Outcome, *, is_replaced: bool = False) -> FollowedRelease:
    last = state("Succeeded", since=NEW, served="1.1.0")
    one = FollowedRelease("beacon", "1.1.0", MagicMock(), SERVING, last)
    one.outcome, one.reason, one.is_replaced = outcome, "errors 6.8 > 1", is_replaced
    return one


ROLLED_BACK = ReleaseRecord(
    *("1.1.0", "progressive", STARTED, None, NEW, "rolledBack", "ann", "`make rollback`")
)


@pytest.mark.parametrize(
    ("release", "record", "written", "is_rolled_back"),
    [
        (
            ended(Outcome.PROMOTED),
            RUNNING,
            [("promoted", ("Flagger", "errors 6.8 > 1", DIGEST))],
            False,
        ),
        (
            ended(Outcome.ROLLED_BACK),
            RUNNING,
            [("rolledBack", ("Flagger", "errors 6.8 > 1", None))],
            True,
        ),
        # A command was interrupted after it has recorded the rollback: its file is not restored.
        (ended(Outcome.ROLLED_BACK), ROLLED_BACK, [], True),
        (ended(Outcome.UNDECIDED), RUNNING, [], False),
        # A person has rolled it back with another command, which restores the file.
        (ended(Outcome.UNDECIDED, is_replaced=True), ROLLED_BACK, [], False),
    ],
    ids=["promoted", "rolled back", "interrupted", "undecided", "by a person"],
)
def test_the_outcome_is_recorded_once_by_the_command_that_knows_who_has_decided(
    cluster, release, record, written, is_rolled_back
) -> None:
    cluster[:] = [{}]
    records = Records(record)
    assert releases(records).end(release) is is_rolled_back
    assert records.written == written


def test_a_rollback_by_a_person_is_the_outcome_of_the_command_that_followed(
    cluster, capsys
) -> None:
    cluster[:] = [{}]
    release = ended(Outcome.UNDECIDED, is_replaced=True)
    releases(Records(ROLLED_BACK)).end(release)
    assert release.outcome is Outcome.ROLLED_BACK
    assert "ann: `make rollback`" in capsys.readouterr().out


def test_a_promotion_without_analysis_is_awaited_until_flagger_does_nothing_more(
    cluster, monkeypatch
) -> None:
    promoting = state("Progressing", served="1.1.0")
    done = state("Succeeded", since=NEW, served="1.1.0")
    cluster[:] = [{"beacon": promoting}, {"beacon": done}]
    monkeypatch.setattr(progressive_releases, "SETTLE_SECONDS", -10)
    service = stack().services["beacon"]
    one = releases(Records())
    monkeypatch.setattr("commands.follow.POLL_SECONDS", 0)
    started = one.started([service]) or [ended(Outcome.PROMOTED)]
    one.settle(service, started)
    failed = ended(Outcome.ROLLED_BACK)
    with pytest.raises(CommandError, match=r"errors 6\.8 > 1") as error:
        one.settle(service, [failed])
    assert error.value.exit_code == FAILED


def test_a_promotion_does_not_wait_for_the_release_of_another_service(cluster, monkeypatch) -> None:
    cluster[:] = [{"beacon": state("Succeeded", since=NEW, served="1.1.0")}]
    monkeypatch.setattr(progressive_releases, "SETTLE_SECONDS", -10)
    paused = ended(Outcome.UNDECIDED)
    paused.service = "edge"
    releases(Records()).settle(stack().services["beacon"], [ended(Outcome.PROMOTED), paused])
