"""Changed ConfigMaps: running pods read them at once, not at the kubelet's next sync."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from commands import kubectl
from commands.errors import CommandError
from components.labels import Identity
from settings import OBJECT_TRACKS, Settings

ANNOTATION = "slipway/config"
"""Annotation of a pod: hash of the configuration that it was told to read."""


class ChangedConfig:
    """Configuration files of a stack's services that an update changes. Create it before.

    The kubelet updates the files of a pod in its periodic sync, up to 90 s after the ConfigMap. A
    change of the pod itself makes it sync at once.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment
        self._before: Mapping[str, str] = {}
        with suppress(CommandError):  # Pulumi's own message is better
            self._before = self._hashes(self._read())

    def sync(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Annotate the running pods of each changed ConfigMap.

        ``found`` has the objects after the update; those of other kinds are ignored.
        """
        changed = {
            name: value
            for name, value in self._hashes(found).items()
            if self._before.get(name, value) != value
        }
        for service in self._settings.services:
            for track in OBJECT_TRACKS:
                identity = Identity(service, self._settings.namespace.name, track)
                if value := changed.get(identity.object_name):
                    kubectl.annotate_pods(
                        identity.instance,
                        identity.selector,
                        {ANNOTATION: value},
                        environment=self._environment,
                        context=self._settings.cluster.context,
                    )
        if changed:
            print(f"the pods of {' and '.join(sorted(changed))} read the changed configuration now")

    def _read(self) -> Sequence[Mapping[str, Any]]:
        return kubectl.get(
            *("configmaps", "--namespace", self._settings.namespace.name, "--ignore-not-found"),
            environment=self._environment,
            context=self._settings.cluster.context,
        ).get("items", ())

    def _hashes(self, found: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
        names = {
            Identity(service, "", track).object_name
            for service in self._settings.services
            for track in OBJECT_TRACKS
        }
        return {
            item["metadata"]["name"]: _hash(item.get("data"))
            for item in found
            if item["kind"] == "ConfigMap" and item["metadata"]["name"] in names
        }


def _hash(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
