"""Records of the releases that an update deploys."""

from typing import Any, cast

import pytest

from commands.release_log import ReleaseLog
from commands.release_records import Decision, ReleaseRecords
from tests.unit.stacks import DIGEST, OTHER_DIGEST, settings

OLD = {"version": "1.0.0", "digest": DIGEST}
NEW = {"version": "1.1.0", "digest": OTHER_DIGEST}
CANARY = {"strategy": "canary", "stable": OLD, "canary": {**NEW, "weight": 5}}


class Records:
    """Records that keep what is written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def start(self, service: str, version: str, strategy: str, *_: object, **__: object) -> None:
        self.written.append(f"start {service} {version} {strategy}")

    def end(self, _: str, version: str, __: str, **how: Any) -> None:
        by, reason = how["decision"].by, how["decision"].reason
        self.written.append(f"{how['result']} {version} by {by}: {reason} {how['digest']}")


def log(before: dict[str, Any] | None, after: dict[str, Any], **how: Any) -> tuple[Any, Records]:
    records = Records()
    services = settings(release=after).services
    how = {"is_rollback": False, "decision": Decision("ann"), **how}
    return ReleaseLog(cast("ReleaseRecords", records), services, {"beacon": before}, **how), records


def test_a_started_canary_is_recorded_before_the_update() -> None:
    one, records = log({"strategy": "canary", "stable": OLD}, CANARY)
    one.start()
    assert records.written == ["start beacon 1.1.0 canary"]
    one.succeed(dict)
    assert len(records.written) == 1


def test_an_update_that_fails_ends_the_release_that_it_has_started() -> None:
    one, records = log({"strategy": "canary", "stable": OLD}, CANARY)
    one.fail()
    assert records.written == ["failed 1.1.0 by ann: the update failed None"]


@pytest.mark.parametrize(
    ("after", "how", "written"),
    [
        ({"strategy": "canary", "stable": NEW}, {}, f"promoted 1.1.0 by ann:  {OTHER_DIGEST}"),
        (
            {"strategy": "canary", "stable": OLD},
            {"is_rollback": True},
            "rolledBack 1.1.0 by ann: 1.0.0 serves None",
        ),
        (
            {"strategy": "canary", "stable": OLD},
            {"is_rollback": True, "decision": Decision("gate", "6.8% fail")},
            "rolledBack 1.1.0 by gate: 6.8% fail None",
        ),
    ],
)
def test_the_end_of_a_release_is_recorded_after_the_update(after, how, written) -> None:
    one, records = log(CANARY, after, **how)
    one.start()
    assert records.written == []
    one.succeed(lambda: {"beacon": {"1.1.0": OTHER_DIGEST}})
    assert records.written == [written]


def test_the_first_deployment_is_recorded_when_its_namespace_exists() -> None:
    one, records = log(None, {"strategy": "canary", "stable": OLD})
    one.start()
    one.fail()
    assert records.written == []
    one.succeed(lambda: {"beacon": {"1.0.0": DIGEST}})
    assert records.written == [f"promoted 1.0.0 by ann:  {DIGEST}"]
