"""Loading of a stack's configuration, from its file or from the Pulumi engine."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from settings.errors import FieldError, SettingsError, validation_messages
from settings.release import ReleaseSettings
from settings.schema import PROJECT
from settings.secret import DECRYPTED
from settings.stack import Settings
from settings.stack_file import path_of, read
from settings.string_formats import VERSION


def load(stack: str, version_file: Path | None = None) -> Settings:
    """Load ``Pulumi.<stack>.yaml``; ``stack`` may also be the path of a stack file.

    ``version_file`` contains the version that the working tree builds. With it, a version that is
    neither that one nor has a digest is an error too. Secrets are not decrypted. Raises
    :class:`SettingsError`.
    """
    path = path_of(stack)
    return _validate(path.name, read(path), version_file)


def from_pulumi(version_file: Path) -> Settings:
    """Load the configuration of the running Pulumi program.

    ``version_file`` as for :func:`load`. Raises :class:`pulumi.RunError` with the message of
    :class:`SettingsError`, which the engine shows without a traceback.
    """
    import pulumi  # noqa: PLC0415  # slow to import, and commands do not need it
    from pulumi.runtime.config import CONFIG, is_config_secret  # noqa: PLC0415

    prefix = f"{PROJECT}:"
    values = {key: text for key, text in CONFIG.get().items() if key.startswith(prefix)}
    decrypted = any(is_config_secret(key) for key in values)
    sections = {key.removeprefix(prefix): _parse_json(text) for key, text in values.items()}
    stack_file = path_of(pulumi.get_stack())
    try:
        in_file = read(stack_file) if stack_file.is_file() else {}
        # The engine passes JSON in a string or a secret as a mapping.
        sections |= {
            name: section
            for name, section in in_file.items()
            if not isinstance(section, dict) or "secure" in section
        }
        # Messages quote values: first without those that the stack file encrypts.
        context = DECRYPTED if decrypted else None
        settings = _validate(stack_file.name, _encrypted(sections, in_file), version_file, context)
        return (
            _validate(stack_file.name, sections, version_file, context) if decrypted else settings
        )
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _parse_json(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _encrypted(value: Any, in_file: Any) -> Any:  # noqa: ANN401
    """``value`` with the encrypted values of the stack file, at the same places, as in the file."""
    match value, in_file:
        case _, {"secure": str(), **rest} if not rest:
            return in_file
        case dict(), dict():
            return {key: _encrypted(inner, in_file.get(key)) for key, inner in value.items()}
        case list(), list():
            items = zip_longest(value, in_file[: len(value)])
            return [_encrypted(item, item_in_file) for item, item_in_file in items]
    return value


def _validate(
    source: str,
    sections: Mapping[str, Any],
    version_file: Path | None,
    context: object = None,
) -> Settings:
    try:
        settings = Settings.model_validate(sections, context=context, by_name=False, by_alias=True)
    except ValidationError as error:
        messages = validation_messages(error, f"{PROJECT}:", _schema())
        raise SettingsError(source, list(messages)) from None
    if version_file and (errors := list(_version_errors(settings.release, version_file))):
        raise SettingsError(source, errors)
    return settings


@cache
def _schema() -> dict[str, Any]:
    return Settings.model_json_schema()


def _version_errors(release: ReleaseSettings, version_file: Path) -> Iterator[str]:
    name = "/".join(version_file.parts[-2:])
    version = version_file.read_text().strip() if version_file.is_file() else ""
    if not VERSION.matches(version):
        yield str(FieldError(name, version, VERSION.allowed.removesuffix(", in quotes")))
        return
    for track, released in release.tracks.items():
        if released.digest is None and released.version != version:
            allowed = f"{version} as in {name}, or add the digest of the published image"
            yield str(FieldError(f"{PROJECT}:release.{track}.version", released.version, allowed))
