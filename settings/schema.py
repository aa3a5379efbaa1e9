"""JSON schema of the stack files, for editors and for messages."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

JsonSchema = Mapping[str, Any]

PROJECT = "slipway"
"""Name of the Pulumi project: the namespace of its configuration keys."""
EXTENDS = "extends"
"""Key with the stack whose sections a stack file extends. It is read before the settings."""
EXTENDS_DESCRIPTION = """\
Name of another stack, on whose stack file this one builds. Mappings merge; lists, other values and
the versions `stable`, `canary` and `idle` of a release replace. `null` removes a value."""
SCHEMA_FILE = Path(__file__).parent / "stack.schema.json"
STACK_FILE_KEYS = ("config", "environment", "encryptedkey", "encryptionsalt", "secretsprovider")
"""Top-level keys that Pulumi allows in a stack file."""


@cache
def model_schema(model: type[BaseModel]) -> JsonSchema:
    """JSON schema of a section with the sections below it. Generating that of a stack is slow."""
    return model.model_json_schema()


def stack_file_schema(settings: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a stack file with the sections of ``settings`` under ``config``."""
    schema = model_schema(settings)
    sections = _without_required_keys(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Stack file of the Pulumi project {PROJECT}",
        "type": "object",
        "properties": {
            **{key: {} for key in STACK_FILE_KEYS},
            "config": {
                "type": "object",
                "properties": {
                    f"{PROJECT}:{EXTENDS}": {"type": "string", "description": EXTENDS_DESCRIPTION},
                    **{f"{PROJECT}:{name}": one for name, one in sections["properties"].items()},
                },
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:": {}},
                "additionalProperties": False,
                "if": {"not": {"required": [f"{PROJECT}:{EXTENDS}"]}},
                "then": {"required": [f"{PROJECT}:{name}" for name in schema["required"]]},
            },
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": sections["$defs"],
    }


_PARTIAL = "Partial"


def _without_required_keys(schema: JsonSchema) -> dict[str, Any]:
    """The schema with twins of its definitions that require no key.

    A key that a service omits may be in ``slipway:defaults``, and one that a stack file omits in
    the file that it extends. JSON schema cannot express this.
    """
    definitions: dict[str, Any] = {}

    def partial(node: Any) -> Any:  # noqa: ANN401
        match node:
            case {"$ref": str() as reference, **rest}:
                name = reference.rpartition("/")[2]
                twin = f"{_PARTIAL}{name}"
                if twin not in definitions:
                    definitions[twin] = {}  # ends a recursion
                    kept = schema["$defs"][name].items()
                    definitions[twin] = {
                        key: value if key == "items" else partial(value)
                        for key, value in kept
                        if key != "required" or schema["$defs"][name].get("writeOnly")
                    }
                return {**rest, "$ref": f"#/$defs/{twin}"}
            case dict():
                # The items of a list replace those of the defaults: they are complete.
                return {key: one if key == "items" else partial(one) for key, one in node.items()}
            case list():
                return [partial(one) for one in node]
        return node

    properties = {name: partial(node) for name, node in schema["properties"].items()}
    definitions |= schema["$defs"]
    used: set[str] = set()
    _collect_references([*properties.values()], definitions, used)
    kept = {name: node for name, node in sorted(definitions.items()) if name in used}
    return {**schema, "properties": properties, "$defs": kept}


def _collect_references(node: Any, definitions: JsonSchema, found: set[str]) -> None:  # noqa: ANN401
    if isinstance(node, dict):
        name = node.get("$ref", "").rpartition("/")[2] if isinstance(node.get("$ref"), str) else ""
        if name and name not in found:
            found.add(name)
            _collect_references(definitions[name], definitions, found)
    for inner in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        _collect_references(inner, definitions, found)


def write_schema(schema: JsonSchema, path: Path) -> None:
    """Write a JSON schema to a file."""
    path.write_text(f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n")


def allowed_values(schema: JsonSchema, node: JsonSchema) -> str:
    """Values that a node of ``schema`` allows, in words."""
    if message := node.get("patternErrorMessage"):
        return str(message).removeprefix("use ")
    if "const" in node:
        return json.dumps(node["const"], ensure_ascii=False)
    if choices := node.get("enum"):
        return " or ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    if options := node.get("anyOf") or node.get("oneOf"):
        return " or ".join(allowed_values(schema, resolve(schema, option)) for option in options)
    if "$ref" in node:
        return allowed_values(schema, resolve(schema, node))
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    return " or ".join(_allowed_of_type(schema, {**node, "type": kind}) for kind in kinds)


def _allowed_of_type(schema: JsonSchema, node: JsonSchema) -> str:
    if node["type"] == "string":
        return _allowed_strings(node)
    if node["type"] == "array":
        items = allowed_values(schema, resolve(schema, node.get("items", {})))
        return f"a list; each item: {items}"
    if node["type"] == "object":
        if known := known_keys(node):
            return f"a mapping with the keys {', '.join(known)}"
        return f"a mapping; each value: {allowed_values(schema, resolve(schema, value_node(node)))}"
    return {
        "null": "null",
        "boolean": "true or false",
        "integer": f"an integer{_range(node)}",
        "number": f"a number{_range(node)}",
    }.get(node["type"], "another value")


def _range(node: JsonSchema) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    bounds = {
        f" from {low} to {high}": low is not None and high is not None,
        f" of at least {low}": low is not None and high is None,
        f" of at most {high}": high is not None and low is None,
        f" above {above}": above is not None,
        f" below {below}": below is not None,
        f", a multiple of {node.get('multipleOf')}": "multipleOf" in node,
    }
    return "".join(text for text, is_set in bounds.items() if is_set)


def _allowed_strings(node: JsonSchema) -> str:
    maximum, minimum = node.get("maxLength"), node.get("minLength")
    if node.get("format") == "go-duration":
        return f"a duration{_duration_range(node)}, like 1.5s"
    if name := node.get("format"):
        return f"a string in the format {name}"
    if pattern := node.get("pattern"):
        return f"a string that matches {pattern}"
    if maximum is not None:
        return f"a string of at most {maximum} characters"
    return f"a string of at least {minimum} characters" if minimum else "a string"


def _duration_range(node: JsonSchema) -> str:
    low, high = node.get("formatMinimum"), node.get("formatMaximum")
    if low and high:
        return f" from {low} to {high}"
    return f" of at least {low}" if low else f" of at most {high}" if high else ""


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
        node = resolve(schema, child_node(schema, node, part))
    return node


def child_node(schema: JsonSchema, node: JsonSchema, part: int | str) -> JsonSchema:
    """The node of a key or of a list index below ``node``, with its reference not followed."""
    node = resolve(schema, node)
    if isinstance(part, int):
        return node["items"]
    if part in node.get("properties", {}):
        return node["properties"][part]
    return node if "items" in node else value_node(node)


def accepts_null(node: JsonSchema) -> bool:
    """True if a node that is not resolved allows ``null``."""
    return any(option.get("type") == "null" for option in node.get("anyOf", ()))


def known_keys(node: JsonSchema) -> list[str]:
    """Keys of a section."""
    return list(node.get("properties", {}))


def value_node(node: JsonSchema) -> JsonSchema:
    """The schema of a mapping's values."""
    if patterns := node.get("patternProperties"):
        return next(iter(patterns.values()))
    value = node.get("additionalProperties")
    return value if isinstance(value, dict) else {}
