"""JSON schema of the stack files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from settings import Settings
from settings.schema import (
    SCHEMA_FILE,
    JsonSchema,
    allowed_values,
    model_schema,
    resolve,
    stack_file_schema,
)
from settings.section import Section

PROJECT = Path(__file__).resolve().parents[3]
STACK_FILES = (PROJECT / "Pulumi.dev.yaml", PROJECT / "Pulumi.prod.yaml")

Node = dict[str, Any]


def keys(section: JsonSchema, path: str = "") -> Iterator[tuple[str, Node, Node]]:
    """Yield path, description's node and resolved node of every key, and of the items of lists."""
    for name, node in section["properties"].items():
        key, inner = f"{path}{name}", dict(resolve(model_schema(Settings), node))
        yield key, node, inner
        if inner.get("type") == "array":
            inner = dict(resolve(model_schema(Settings), inner["items"]))
            yield f"{key}[]", {"description": "item"}, inner
        if "properties" in inner and not inner.get("writeOnly"):
            yield from keys(inner, f"{key}.")


def is_bounded(node: Node) -> bool:
    """True if the schema limits the values of a leaf."""
    match node["type"]:
        case "integer" | "number":
            return {"minimum", "maximum"} <= node.keys()
        case "string":
            return "maxLength" in node or "enum" in node
        case "array":
            return "maxItems" in node
        case "object":
            return (
                "properties" in node
                or "additionalProperties" in node
                or "patternProperties" in node
            )
        case ["integer", "string"]:
            return {"minimum", "maximum", "pattern"} <= node.keys()
    return node["type"] == "boolean"


def test_every_key_has_a_type_bounds_a_description_and_a_message() -> None:
    found = list(keys(model_schema(Settings)))
    assert len(found) > 150
    for key, node, inner in found:
        assert is_bounded(inner), key
        assert node.get("description") or inner.get("description"), key
        assert allowed_values(model_schema(Settings), inner), key


def section_types(base: type[Section] = Section) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from section_types(section)


def test_every_default_is_valid() -> None:
    fields = [field for section in section_types() for field in section.model_fields.values()]
    defaults = [field.default for field in fields if isinstance(field.default, Section)]
    assert len(defaults) > 60
    for default in defaults:
        assert type(default).model_validate(default.model_dump()) == default


def test_no_section_allows_unknown_keys() -> None:
    schema = model_schema(Settings)
    sections = [schema, *(inner for _, _, inner in keys(schema) if "properties" in inner)]
    assert len(sections) > 40
    assert [one for one in sections if one["additionalProperties"] is not False] == []


def test_the_schema_file_is_up_to_date() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == stack_file_schema(Settings), (
        "run `python -m settings`"
    )


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda one: one.name)
def test_every_stack_file_names_the_schema_and_is_valid(
    editor: Draft202012Validator, file: Path
) -> None:
    text = file.read_text()
    relative = SCHEMA_FILE.relative_to(PROJECT)
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={relative}"
    assert list(editor.iter_errors(yaml.safe_load(text))) == []


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    """Validator of editors."""
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("autoscaling", {"maxReplcas": 3}),
        ("autoscaling", {"maxReplicas": 0}),
        ("autoscaling", {"enabled": "yes"}),
        ("release", {"stable": {"version": "latest"}}),
        ("image", {"registry": "localhost:5000", "repository": "a", "builder": "kaniko"}),
        ("services", {"beacon": {"secrets": {"token": "plain text"}}}),
        ("workload", {"rollout": {"maxSurge": "lots"}}),
        ("rooting", {}),
    ],
)
def test_editors_report_invalid_keys_and_values(
    editor: Draft202012Validator, section: str, values: dict[str, object]
) -> None:
    document = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    document["config"][f"slipway:{section}"] = values
    (error,) = editor.iter_errors(document)
    assert section in error.message or section in "".join(map(str, error.path))
