"""Configuration of a stack's last update, as a stack file in a temporary folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from commands.stack_file import ReleaseFile
from settings import PROJECT, TRACK_KEYS, Settings, load, stable_settings
from settings.stack_config import read
from settings.stack_file import path_of

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

    def set_release(self, service: str) -> Settings:
        """Take over a service's release and its settings from the stack file.

        Return the settings of the stack. Raises :class:`SettingsError` if this program cannot read
        the configuration.
        """
        current = ReleaseFile(self._stack, service)
        deployed = ReleaseFile(str(self.file), service).set_release(current.release)
        # With settings of its own, stable needs none of the service's.
        if current.stable_settings is None:
            deployed.restore_settings(stable_settings(read(path_of(self._stack)), service))
        deployed.save()
        return load(str(self.file))


def _differences(deployed: object, current: object, key: str) -> Iterator[str]:
    if isinstance(deployed, dict) and isinstance(current, dict):
        for name in {**deployed, **current}:
            inner = f"{key}.{name}" if key else str(name)
            yield from _differences(
                deployed.get(name, _MISSING), current.get(name, _MISSING), inner
            )
    elif deployed != current and not (deployed in _NONE and current in _NONE):
        yield key
