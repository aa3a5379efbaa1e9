"""Configuration of a stack's last update, as a stack file in a temporary folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.stack_file import ReleaseFile
from settings import PROJECT, TRACK_KEYS, Settings, load, stable_settings
from settings.stack_file import path_of, read

_MISSING = object()
_NONE = (_MISSING, {})
"""Pulumi.yaml has an empty mapping as the default of each section."""


class DeployedConfiguration:
    """The configuration of the last update, for an update that changes one release and no more."""

    def __init__(self, file: Path, stack: str) -> None:
        self.file = file
        self._stack = stack

    def undelivered(self, service: str) -> Sequence[str]:
        """Keys of the stack file that differ, except those that a service is released with."""
        keys = _differences(read(self.file), read(path_of(self._stack)), "")
        released = [f"services.{service}.{key}." for key in ("release", *TRACK_KEYS)]
        return [f"{PROJECT}:{key}" for key in keys if not f"{key}.".startswith(tuple(released))]

    def set_release(self, service: str, outputs: Mapping[str, Any]) -> Settings:
        """Take over a service's release and its settings from the stack file.

        Return the settings of the stack.
        Versions without a digest get that of ``outputs``: they are not built again, from newer
        source. Raises :class:`SettingsError` if this program cannot read the configuration.
        """
        release = ReleaseFile(self._stack, service).release
        deployed = ReleaseFile(str(self.file), service).set_release(release)
        deployed.restore_settings(stable_settings(read(path_of(self._stack)), service))
        deployed.save()
        pin_deployed(self.file, outputs)
        return load(str(self.file))


def pin_deployed(file: Path, outputs: Mapping[str, Any], except_for: str = "") -> None:
    """Pin the versions in a stack file that are built and deployed already to their images.

    ``outputs`` are those of the services in the last update.
    """
    for name, one in load(str(file)).services.items():
        for track, version in one.release.built.items() if name != except_for else ():
            running = outputs.get(name, {}).get(track) or {}
            if running.get("version") == version.version and "@" in running["image"]:
                digest = running["image"].rpartition("@")[2]
                ReleaseFile(str(file), name).pin(track, digest).save()


def _differences(deployed: object, current: object, key: str) -> Iterator[str]:
    if isinstance(deployed, dict) and isinstance(current, dict):
        for name in {**deployed, **current}:
            if name == "digest" and name not in current and "version" in current:
                continue  # of the image that a release command has pinned the version to
            inner = f"{key}.{name}" if key else str(name)
            yield from _differences(
                deployed.get(name, _MISSING), current.get(name, _MISSING), inner
            )
    elif deployed != current and not (deployed in _NONE and current in _NONE):
        yield key
