"""Events that follow from the outputs of two updates."""

from typing import Any
from unittest.mock import Mock, call

import pytest

from commands.notifications import Notifier, VersionChange
from commands.notifications.updates import notify_update


def tracks(stable: str, canary: str | None = None, weight: int | None = 10) -> dict[str, Any]:
    """Outputs of a service."""
    beside = {"version": canary, **({} if weight is None else {"weight": weight})}
    return {"stable": {"version": stable}, "canary": beside if canary else None}


def change(version: str, previous: str | None) -> VersionChange:
    return VersionChange("beacon", version, previous)


ONE = change("1.1.0", "1.0.0")


@pytest.mark.parametrize(
    ("before", "after", "is_rollback", "events"),
    [
        ({}, tracks("1.0.0"), False, [call.promoted(change("1.0.0", None), reason="")]),
        (tracks("1.0.0"), tracks("1.1.0"), False, [call.promoted(ONE, reason="")]),
        (tracks("1.1.0"), tracks("1.0.0"), False, [call.rolled_back(ONE, reason="")]),
        (tracks("1.0.0"), tracks("1.0.0", "1.1.0"), False, [call.started(ONE, weight=10)]),
        (tracks("1.0.0", "1.1.0"), tracks("1.0.0", "1.1.0", 50), False, [call.stepped(ONE, 50)]),
        (tracks("1.0.0", "1.1.0"), tracks("1.1.0"), False, [call.promoted(ONE, reason="")]),
        (tracks("1.0.0", "1.1.0"), tracks("1.0.0"), True, [call.rolled_back(ONE, reason="")]),
        (
            tracks("1.0.0", "1.1.0"),
            tracks("1.0.0", "1.2.0"),
            False,
            [call.started(change("1.2.0", "1.0.0"), weight=10)],
        ),
        (
            tracks("1.0.0"),
            tracks("1.1.0-rc.1"),
            True,
            [call.rolled_back(change("1.0.0", "1.1.0-rc.1"), reason="")],
        ),
        (tracks("1.0.0", "1.1.0"), tracks("1.0.0", "1.1.0"), False, []),
        # Blue-green: the colors change places.
        (
            tracks("1.0.0"),
            tracks("1.0.0", "1.1.0", None),
            False,
            [call.started(ONE, weight=None)],
        ),
        (
            tracks("1.0.0", "1.1.0", None),
            tracks("1.1.0", "1.0.0", None),
            False,
            [call.promoted(ONE, reason="")],
        ),
        (
            tracks("1.1.0", "1.0.0", None),
            tracks("1.0.0", "1.1.0", None),
            True,
            [call.rolled_back(ONE, reason="")],
        ),
    ],
    ids=[
        *("first", "new stable", "lower stable", "canary", "weight", "canary promoted"),
        *("canary ended", "another canary", "rollback to a higher version", "nothing"),
        *("idle color", "switch", "switch back"),
    ],
)
def test_an_update_is_notified_as_the_change_of_the_release_that_it_made(
    before: dict[str, Any], after: dict[str, Any], is_rollback: bool, events: list[Any]
) -> None:
    notifier = Mock(spec=Notifier)
    services = {"beacon": after, "hello": tracks("2.0.0")}
    deployed = {"hello": tracks("2.0.0"), **({"beacon": before} if before else {})}
    notify_update(notifier, deployed, services, is_rollback=is_rollback)
    assert notifier.mock_calls == events
