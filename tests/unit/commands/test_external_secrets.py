"""External secrets that fail, with objects and events given by the tests."""

from typing import Any

import pytest

from commands import external_secrets
from commands.errors import CommandError


def item(kind: str, name: str, status: str | None, message: str = "") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": status, "message": message}] if status else []
    return {"kind": kind, "metadata": {"name": name}, "status": {"conditions": conditions}}


def event(kind: str, name: str, time: str, message: str) -> dict[str, Any]:
    involved = {"kind": kind, "name": name}
    return {"involvedObject": involved, "lastTimestamp": time, "message": message}


ITEMS = [
    item("ExternalSecret", "shop-licence", "True"),
    item("ExternalSecret", "shop-key", "False", "could not get secret data from provider"),
    item("ExternalSecret", "shop-new", None),
    item("SecretStore", "team", "False", "unable to create client"),
]
EVENTS = [
    event("ExternalSecret", "shop-key", "2026-01-01T10:00:00Z", "connection refused"),
    event("ExternalSecret", "shop-key", "2026-01-01T11:00:00Z", "shop/missing not found\x1b[1m"),
    event("ExternalSecret", "shop-licence", "2026-01-01T12:00:00Z", "connection refused"),
]


def test_each_object_that_is_not_ready_has_the_reason_of_its_last_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def get(kinds: str, *_: str, **__: object) -> dict[str, Any]:
        return {"items": EVENTS if kinds == "events" else ITEMS}

    monkeypatch.setattr(external_secrets.kubectl, "get", get)
    assert [*external_secrets.failures("shop", {})] == [
        "ExternalSecret/shop-key: shop/missing not found\\x1b[1m",
        "ExternalSecret/shop-new: it was not checked yet: is External Secrets running?",
        "SecretStore/team: unable to create client",
    ]


@pytest.mark.parametrize("message", ["doesn't have a resource type", "connection refused"])
def test_a_cluster_without_external_secrets_has_no_failures(
    message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(*_: str, **__: object) -> dict[str, Any]:
        raise CommandError(f"kubectl: {message}")

    monkeypatch.setattr(external_secrets.kubectl, "get", get)
    if message == "connection refused":
        with pytest.raises(CommandError, match=message):
            list(external_secrets.failures("shop", {}))
    else:
        assert [*external_secrets.failures("shop", {})] == []
