"""Stack files: ``Pulumi.<stack>.yaml``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from settings.errors import SettingsError, dotted, suggestion
from settings.schema import PROJECT, STACK_FILE_KEYS
from settings.yaml_file import read_yaml
from settings.yaml_reader import Location

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
"""Folder of the Pulumi project."""


def path_of(stack: str) -> Path:
    """Path of a stack's file; ``stack`` is its name, or the path itself."""
    is_path = stack.endswith((".yaml", ".yml"))
    return Path(stack) if is_path else PROJECT_FOLDER / f"Pulumi.{stack}.yaml"


def stack_of(path: Path) -> str:
    """Name of the stack with this file."""
    return path.stem.removeprefix("Pulumi.")


def stack_files(folder: Path) -> list[Path]:
    """The stack files in a folder, sorted by name."""
    return sorted(folder.glob("Pulumi.*.yaml"))


def read_own(path: Path) -> tuple[dict[str, Any], Mapping[Location, int]]:
    """Read the project's sections of a stack file, by name, without validating them.

    Keys of other namespaces, such as a provider's, are omitted. The second value is the line of
    each key and list item. Raises :class:`SettingsError`.
    """
    config, lines = _read(path)
    sections = {_section(key): value for key, value in config.items() if is_our_key(key)}
    of_sections = {
        (_section(location[1]), *location[2:]): line
        for location, line in lines.items()
        if _is_ours(location)
    }
    return sections, of_sections


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration of all namespaces in a stack file. Raises :class:`SettingsError`."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], Mapping[Location, int]]:
    document, lines = _parse(path)
    if not isinstance(document, dict):
        raise SettingsError(path.name, ["it is not a mapping: use a mapping with the key config"])
    errors = [
        f"{key} is not a key: {suggestion(str(key), STACK_FILE_KEYS)}"
        for key in document
        if key not in STACK_FILE_KEYS
    ]
    config = document.get("config") or {}
    if not isinstance(config, dict):
        errors.append(f"config is not a mapping: use keys like {PROJECT}:services")
        config = {}
    errors += [
        f"{key} is not a key: use {PROJECT}:{key}, or the namespace of a provider"
        for key in config
        if ":" not in str(key)
    ]
    if errors:
        raise SettingsError(path.name, errors)
    return config, lines


def _parse(path: Path) -> tuple[Any, Mapping[Location, int]]:
    if not path.exists():
        stacks = [file.name for file in stack_files(path.parent)]
        existing = f"use {' or '.join(stacks)}" if stacks else "there is no stack file"
        raise SettingsError(path.name, [f"it does not exist: {existing}"])
    return read_yaml(path, _is_ours, _key)


def _is_ours(location: Location) -> bool:
    return len(location) > 1 and location[0] == "config" and is_our_key(location[1])


def is_our_key(key: str | int) -> bool:
    """True for a key of the configuration in the project's namespace."""
    return str(key).startswith(f"{PROJECT}:")


def _section(key: str | int) -> str:
    return str(key).removeprefix(f"{PROJECT}:")


def _key(location: Location) -> str:
    return dotted(location).removeprefix("config.")
