"""Secrets of a stack's services in files that sops encrypts."""

import os
from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from settings.errors import SettingsError
from settings.release import Track
from settings.schema import PROJECT
from settings.secret import ENCRYPTED
from settings.secret_files import SecretFiles
from settings.sops import SopsSource, SopsValues, source_error
from settings.stack import Settings

_OWN_SETTINGS: Mapping[Track, str] = {"stable": "stable", "canary": "idle"}
"""Version that can have settings of its own, by track."""


def sources(settings: Settings) -> Iterator[tuple[str, SecretFiles, str, SopsSource]]:
    """Yield each source in a file of sops: its path, and the mapping and name of its secret."""
    for service in settings.services.values():
        prefix = f"{PROJECT}:services.{service.name}"
        blocks = {prefix: service.secrets}
        for track, version in _OWN_SETTINGS.items():
            if (own := service.of_track(track)) is not service:
                blocks[f"{prefix}.release.{version}.settings"] = own.secrets
        for block, secrets in blocks.items():
            for name, entry in [*secrets.items()]:
                if entry.sops:
                    yield f"{block}.secrets.{name}.sops", secrets, name, entry.sops


def sops_errors(settings: Settings) -> Iterator[str]:
    """Yield an error for each file and key that is missing or not encrypted, without a key."""
    for key, _, _, source in sources(settings):
        if error := source_error(source):
            yield f"{key}.{error}"


def uses_sops(settings: Settings) -> bool:
    """Return True if a secret of a service is in a file that sops encrypts."""
    return any(True for _ in sources(settings))


def decrypt(
    settings: Settings, stack_file: str, environment: Mapping[str, str] = os.environ
) -> list[tuple[SecretFiles, str, SecretStr]]:
    """Return the value of each secret in a file of sops, with the mapping and the name of it.

    Raises :class:`SettingsError` for ``stack_file``. A message does not contain a value.
    """
    values = SopsValues(environment)
    found: list[tuple[SecretFiles, str, SecretStr]] = []
    errors: dict[str, str] = {}
    for key, secrets, name, source in sources(settings):
        try:
            found.append((secrets, name, SecretStr(values.get(source))))
        except ValueError as error:
            # A file that cannot be decrypted is one error.
            errors.setdefault(str(error), f"{key}.{error}")
    if errors:
        raise SettingsError(stack_file, [*errors.values()])
    return found


def placeholders(settings: Settings) -> list[tuple[SecretFiles, str, SecretStr]]:
    """Return what :func:`decrypt` returns, with :data:`ENCRYPTED` as the values; no key is used."""
    placeholder = SecretStr(ENCRYPTED)
    return [(secrets, name, placeholder) for _, secrets, name, _ in sources(settings)]


def set_values(found: list[tuple[SecretFiles, str, SecretStr]]) -> None:
    """Set the values that :func:`decrypt` has returned as those of the secrets."""
    for secrets, name, value in found:
        secrets[name] = secrets[name].model_copy(update={"sops": None, "value": value})
