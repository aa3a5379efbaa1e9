"""The thread of a release, kept in the cluster: a release goes on in commands of other machines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from commands import kubectl
from commands.errors import CommandError

_KEY = "notifications.json"
_FIELD_MANAGER = "slipway-notifications"
"""Not that of the records in the same ConfigMap: each manager removes only fields of its own."""


@dataclass(frozen=True)
class ThreadStore:
    """The ConfigMap of a service's releases, in the namespace of the stack."""

    namespace: str
    environment: Mapping[str, str] = field(repr=False)
    context: str | None

    def last(self, service: str) -> "ReleaseThread | None":
        """The last release of a service. None if there is none, or if it cannot be read."""
        name = _config_map(service)
        try:
            found = kubectl.get(
                *("configmap", name, "--namespace", self.namespace, "--ignore-not-found"),
                environment=self.environment,
                context=self.context,
            )
            saved = json.loads(found.get("data", {}).get(_KEY, "{}"))
            return ReleaseThread(self, service, saved["version"], saved["id"], saved["slackTs"])
        except (CommandError, json.JSONDecodeError, KeyError, TypeError):
            return None

    def save(self, thread: "ReleaseThread") -> None:
        """Make this the last release of its service. Without the cluster it is lost."""
        saved = {"version": thread.version, "id": thread.id, "slackTs": thread.slack_ts}
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": _config_map(thread.service), "namespace": self.namespace},
            "data": {_KEY: json.dumps(saved)},
        }
        try:
            kubectl.apply(
                manifest,
                field_manager=_FIELD_MANAGER,
                environment=self.environment,
                context=self.context,
            )
        except CommandError:
            return


def _config_map(service: str) -> str:
    return f"{service}-releases"


@dataclass
class ReleaseThread:
    """Identity of a release of a service."""

    store: ThreadStore | None
    """None: the thread is not kept."""
    service: str
    version: str | None
    id: str
    slack_ts: str = ""
    """Timestamp of Slack's first message. Empty: none yet."""

    def save(self) -> None:
        """Keep it for the next command."""
        if self.store:
            self.store.save(self)
