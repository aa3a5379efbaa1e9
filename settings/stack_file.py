"""Stack files: ``Pulumi.<stack>.yaml``."""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError

from settings.errors import SettingsError, suggestion
from settings.schema import PROJECT, STACK_FILE_KEYS

CHECKOUT = Path(__file__).resolve().parent.parent
"""Folder of the Pulumi project."""


def path_of(stack: str) -> Path:
    """Path of a stack's file; ``stack`` is its name, or the path itself."""
    is_path = stack.endswith((".yaml", ".yml"))
    return Path(stack) if is_path else CHECKOUT / f"Pulumi.{stack}.yaml"


def stack_of(path: Path) -> str:
    """Name of the stack with this file."""
    return path.stem.removeprefix("Pulumi.")


def read(path: Path) -> dict[str, Any]:
    """Read the project's sections of a stack file, by name, without validating them.

    Keys of other namespaces, such as a provider's, are omitted. Raises :class:`SettingsError` if
    the file is not a stack file.
    """
    document = _stringify_keys(_parse(path))
    if not isinstance(document, dict):
        raise SettingsError(path.name, ["it is not a mapping: use a mapping with the key config"])
    errors = [
        f"{key} is not a key: {suggestion(str(key), STACK_FILE_KEYS)}"
        for key in document
        if key not in STACK_FILE_KEYS
    ]
    config = document.get("config") or {}
    if not isinstance(config, dict):
        errors.append(f"config is not a mapping: use keys like {PROJECT}:service")
        config = {}
    errors += [
        f"{key} is not a key: use {PROJECT}:{key}, or the namespace of a provider"
        for key in config
        if ":" not in str(key)
    ]
    if errors:
        raise SettingsError(path.name, errors)
    prefix = f"{PROJECT}:"
    return {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }


def _stringify_keys(value: object) -> object:
    """``value`` with keys as strings, as in JSON."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key, default=str): _stringify_keys(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_stringify_keys(item) for item in value]
    return value


def _parse(path: Path) -> object:
    try:
        text = path.read_text()
    except FileNotFoundError:
        stacks = sorted(file.name for file in path.parent.glob("Pulumi.*.yaml"))
        existing = f"use {' or '.join(stacks)}" if stacks else "there is no stack file"
        raise SettingsError(path.name, [f"it does not exist: {existing}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, [f"it cannot be read: {error}"]) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            raise SettingsError(path.name, [f"line {number} is a merge conflict: resolve it"])
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it"
        reason = (error.problem or "it cannot be parsed").splitlines()[0]
        raise SettingsError(path.name, [f"{place} is not valid YAML: {reason}"]) from None
    except YAMLError as error:
        raise SettingsError(path.name, [f"it is not valid YAML: {error}"]) from None
