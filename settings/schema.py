"""JSON schema of the stack files, for editors and for messages."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

JsonSchema = Mapping[str, Any]

PROJECT = "slipway"
"""Name of the Pulumi project: the namespace of its configuration keys."""
SCHEMA_FILE = Path(__file__).parent / "stack.schema.json"
STACK_FILE_KEYS = ("config", "environment", "encryptedkey", "encryptionsalt", "secretsprovider")
"""Top-level keys that Pulumi allows in a stack file."""


def stack_file_schema(settings: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a stack file with the sections of ``settings`` under ``config``."""
    sections = settings.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stack file of the Pulumi project {PROJECT}",
        "type": "object",
        "properties": {
            **{key: {} for key in STACK_FILE_KEYS},
            "config": {
                "type": "object",
                "properties": {
                    f"{PROJECT}:{name}": node for name, node in sections["properties"].items()
                },
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:": {}},
                "required": [f"{PROJECT}:{name}" for name in sections["required"]],
                "additionalProperties": False,
            },
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": sections["$defs"],
    }


def write_schema(settings: type[BaseModel]) -> None:
    """Write :func:`stack_file_schema` to ``stack.schema.json``."""
    text = json.dumps(stack_file_schema(settings), indent=2, ensure_ascii=False)
    SCHEMA_FILE.write_text(f"{text}\n")


def allowed_values(schema: JsonSchema, node: JsonSchema) -> str:
    """Values that a node of ``schema`` allows, in words."""
    if message := node.get("patternErrorMessage"):
        return str(message).removeprefix("use ")
    if choices := node.get("enum"):
        return " or ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    kind = node["type"]
    if kind == "array":
        return f"a list; each item: {allowed_values(schema, resolve(schema, node['items']))}"
    if kind == "object" and "properties" not in node:
        return f"a mapping; each value: {allowed_values(schema, resolve(schema, _value(node)))}"
    return {
        "boolean": "true or false",
        "integer": f"an integer from {node.get('minimum')} to {node.get('maximum')}",
        "number": f"a number from {node.get('minimum')} to {node.get('maximum')}",
        "string": f"a string of at most {node.get('maxLength')} characters",
        "object": f"a mapping with the keys {', '.join(known_keys(node))}",
    }[kind]


def resolve(schema: JsonSchema, node: JsonSchema) -> JsonSchema:
    """``node`` with its reference followed; of ``anyOf``, the option that is not ``null``."""
    if options := node.get("anyOf"):
        node = next(option for option in options if option.get("type") != "null")
    while reference := node.get("$ref"):
        node = schema["$defs"][reference.rpartition("/")[2]]
    return node


def node_at(schema: JsonSchema, location: Sequence[int | str]) -> JsonSchema:
    """The resolved node of ``schema`` at a path of keys and list indexes."""
    node = resolve(schema, schema)
    for part in location:
        if isinstance(part, int):
            node = node["items"]
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif "items" not in node:
            node = _value(node)
        node = resolve(schema, node)
    return node


def known_keys(node: JsonSchema) -> list[str]:
    """Keys of a section."""
    return list(node.get("properties", {}))


def _value(node: JsonSchema) -> JsonSchema:
    """The schema of a mapping's values."""
    if patterns := node.get("patternProperties"):
        return next(iter(patterns.values()))
    return node["additionalProperties"]
