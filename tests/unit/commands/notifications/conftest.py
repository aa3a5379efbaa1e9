"""Fixtures of the notifications: HTTP receivers, and the ConfigMaps of a cluster."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from commands.errors import FAILED, CommandError
from commands.notifications import Notifier
from commands.notifications import thread as thread_module
from commands.pulumi import Stack
from tests.unit.commands.notifications.http_receiver import HttpReceiver, http_receiver
from tests.unit.stacks import settings

SECRET = {"secure": "v1:abc"}


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as started:
        yield started


@dataclass
class ConfigMaps:
    """ConfigMaps by name, as kubectl writes them."""

    data: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    is_down: bool = False

    def get(self, _: str, name: str, *__: str, **___: object) -> dict[str, Any]:
        if self.is_down:
            raise CommandError("cannot read the cluster", FAILED)
        return {"data": self.data[name]} if name in self.data else {}

    def apply(self, manifest: dict[str, Any], **_: object) -> None:
        if self.is_down:
            raise CommandError("cannot change the cluster", FAILED)
        self.data.setdefault(manifest["metadata"]["name"], {}).update(manifest["data"])


@pytest.fixture(autouse=True)
def config_maps(monkeypatch: pytest.MonkeyPatch) -> ConfigMaps:
    made = ConfigMaps()
    monkeypatch.setattr(thread_module, "kubectl", made)
    return made


@dataclass
class FakeStack:
    """Stack whose secrets are decrypted. An exception is raised instead of a value."""

    secrets: dict[str, str | CommandError]
    name: str = "prod"

    def secret(self, path: str) -> str:
        value = self.secrets[path]
        if isinstance(value, CommandError):
            raise value
        return value


NotifierOf = Callable[..., Notifier]


@pytest.fixture
def notifier_of() -> NotifierOf:
    """Returns a notifier with these ``notifications`` and their decrypted values."""

    def make(
        notifications: dict[str, Any],
        environment: dict[str, str] | None = None,
        **secrets: str | CommandError,
    ) -> Notifier:
        stack = FakeStack({f"notifications.{key}": value for key, value in secrets.items()})
        keys = settings(notifications=notifications)
        return Notifier(keys, cast(Stack, stack), environment or {})

    return make
