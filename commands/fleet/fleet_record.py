"""Record of the versions that a fleet has replaced in a stack, for its rollback.

A ConfigMap in the stack's namespace, which all machines read. It is written before the update, so
it is there when the command is killed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from commands import kubectl
from commands.errors import FAILED, CommandError
from commands.fleet.versions import Versions
from components.labels import COMMON_LABELS
from settings import Settings

NAME = "slipway-fleet"
DATA_KEY = "fleet.json"


@dataclass(frozen=True)
class FleetRecord:
    """Versions of a stack before and after the last rollout of its fleet."""

    rollout: str
    """Time of the start of the rollout, in RFC 3339. Runs that continue it have the same."""
    before: Versions
    after: Versions
    started: str
    """Time at which the stack was first updated to ``after``, in RFC 3339."""
    state_time: str
    """Time of the state before the update."""

    @property
    def started_seconds(self) -> float:
        """:attr:`started` in Unix time."""
        return datetime.fromisoformat(self.started).timestamp()

    @classmethod
    def read(cls, settings: Settings, environment: Mapping[str, str]) -> "FleetRecord | None":
        """The record of a stack. Raises :class:`CommandError` if it cannot be read."""
        found = kubectl.get(
            *("configmap", NAME, "--namespace", settings.namespace.name, "--ignore-not-found"),
            environment=environment,
            context=settings.cluster.context,
        )
        if not found:
            return None
        try:
            return cls(**json.loads(found["data"][DATA_KEY]))
        except (KeyError, TypeError, ValueError) as error:
            place = f"{settings.namespace.name}/{NAME}"
            raise CommandError(
                f"the ConfigMap {place} is invalid ({error}): without it, this stack has no "
                "rollback by its fleet; delete it",
                FAILED,
            ) from None

    def write(self, settings: Settings, environment: Mapping[str, str]) -> None:
        """Write the record. Raises :class:`CommandError`."""
        part_of = "app.kubernetes.io/part-of"
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": settings.namespace.name,
                "labels": {part_of: COMMON_LABELS[part_of]},
            },
            "data": {DATA_KEY: json.dumps(asdict(self), indent=1)},
        }
        kubectl.apply(manifest, environment=environment, context=settings.cluster.context)
