"""Stack files on disk, and the JSON schema by which editors complete and check them."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.error import MarkedYAMLError

from schemas.problems import SettingsError, suggestion

SCHEMA = Path(__file__).parent / "stack.schema.json"
PULUMIS_OWN = ("config", "environment", "encryptedkey", "encryptionsalt", "secretsprovider")
"""What Pulumi allows at the top of a stack file."""


def path_of(stack: str) -> Path:
    """Where a stack's settings are: ``stack`` is its name, or the path of a stack file."""
    is_path = stack.endswith((".yaml", ".yml"))
    return Path(stack) if is_path else Path(__file__).parent.parent / f"Pulumi.{stack}.yaml"


def stack_of(path: Path) -> str:
    """The stack whose file this is."""
    return path.stem.removeprefix("Pulumi.")


def read(path: Path, project: str) -> dict[str, Any]:
    """The project's sections in a stack file, by name, as they stand.

    Keys of other namespaces, which belong to providers, are left out. Raises
    :class:`SettingsError` where the file is not a stack file.
    """
    document = _with_keys_of_text(_parse(path))
    if not isinstance(document, dict):
        raise SettingsError(path.name, ["it is not a mapping: its keys stand under `config:`"])
    problems = [
        f"{key} is not a key: {suggestion(str(key), PULUMIS_OWN)}"
        for key in document
        if key not in PULUMIS_OWN
    ]
    config = document.get("config") or {}
    if not isinstance(config, dict):
        problems.append(f"config is not a mapping: its keys are like {project}:service")
        config = {}
    problems += [
        f"{key} is not a key: use {project}:{key}, or the namespace of a provider"
        for key in config
        if ":" not in str(key)
    ]
    if problems:
        raise SettingsError(path.name, problems)
    prefix = f"{project}:"
    return {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }


def _with_keys_of_text(value: object) -> object:
    """The same with keys as JSON has them, which YAML reads as numbers and the like."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key, default=str): _with_keys_of_text(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_with_keys_of_text(one) for one in value]
    return value


def _parse(path: Path) -> object:
    try:
        text = path.read_text()
    except FileNotFoundError:
        stacks = sorted(file.name for file in path.parent.glob("Pulumi.*.yaml"))
        there = f"there are {', '.join(stacks)}" if stacks else "there is no stack file"
        raise SettingsError(path.name, [f"there is no such file: {there}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, [f"it cannot be read: {error}"]) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            raise SettingsError(path.name, [f"line {number} is a merge conflict: resolve it"])
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        reason = (error.problem or "it cannot be parsed").splitlines()[0]
        raise SettingsError(path.name, [f"{place} is not YAML: {reason}"]) from None
    except YAMLError as error:
        raise SettingsError(path.name, [f"it is not YAML: {error}"]) from None


def schema_of(settings: type[BaseModel], project: str) -> dict[str, Any]:
    """The JSON schema of a stack file whose ``config`` holds ``settings``."""
    sections = settings.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A stack of {project}",
        "type": "object",
        "properties": {
            **{key: {} for key in PULUMIS_OWN},
            "config": {
                "type": "object",
                "properties": {
                    f"{project}:{name}": node for name, node in sections["properties"].items()
                },
                "patternProperties": {f"^(?!{project}:)[^:]+:": {}},
                "required": [f"{project}:{name}" for name in sections["required"]],
                "additionalProperties": False,
            },
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": sections["$defs"],
    }


def write_schema(settings: type[BaseModel], project: str) -> None:
    """Write :func:`schema_of` to the file that stack files name in their first line."""
    SCHEMA.write_text(json.dumps(schema_of(settings, project), indent=2, ensure_ascii=False) + "\n")
