"""What is wrong with a stack's settings, in words: the key, the value, and what is allowed."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

JsonSchema = Mapping[str, Any]
_LONGEST_SHOWN = 80


class SettingsError(Exception):
    """A stack's settings cannot be used. The message lists every problem, one per line."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{source} has {count}:{lines}")


@dataclass(frozen=True)
class Problem:
    """One value that cannot be used."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.key} is {show(self.value)}: use {self.allowed}"


def show(value: object) -> str:
    """A value as the stack file writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def problems_of(error: ValidationError, key: str, schema: JsonSchema) -> Iterator[str]:
    """What pydantic found below ``key``, whose JSON schema is ``schema``."""
    details = error.errors(include_url=False)
    for detail in details:
        location = detail["loc"]
        if any(_is_within(other["loc"], location) for other in details):
            continue  # a list is wrong because an item is
        name = key + dotted(location)
        if detail["type"] == "contradiction":
            for problem in detail.get("ctx", {})["all"]:
                inner = f"{name}.{problem.key}" if location else f"{key}{problem.key}"
                yield str(replace(problem, key=inner))
            continue
        if detail["type"] == "extra_forbidden":
            known = _known_keys(_node(schema, location[:-1]))
            yield f"{name} is not a key: {suggestion(str(location[-1]), known)}"
            continue
        if location[-1] == "[key]":
            name = key + dotted(location[:-2])
            node = _node(schema, location[:-2])["propertyNames"]
        else:
            node = _node(schema, location)
        if detail["type"] == "missing":
            yield f"{name} is missing: use {allowed(schema, node)}"
        elif node.get("writeOnly"):
            yield f"{name} is not encrypted: use {allowed(schema, node)}"
        else:
            yield str(Problem(name, detail["input"], allowed(schema, node)))


def _is_within(inner: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    return len(inner) > len(outer) and tuple(inner[: len(outer)]) == tuple(outer)


def dotted(location: Sequence[int | str]) -> str:
    """The name of a place: ``routing.paths[1]``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def allowed(schema: JsonSchema, node: JsonSchema) -> str:
    """What a node of a JSON schema allows, in words."""
    if message := node.get("patternErrorMessage"):
        return str(message).removeprefix("use ")
    if choices := node.get("enum"):
        return " or ".join(show(choice) for choice in choices)
    kind = node["type"]
    if kind == "array":
        return f"a list; each item: {allowed(schema, resolve(schema, node['items']))}"
    if kind == "object" and "properties" not in node:
        return f"a mapping; each value: {allowed(schema, resolve(schema, _values(node)))}"
    return {
        "boolean": "true or false",
        "integer": f"a whole number from {node.get('minimum')} to {node.get('maximum')}",
        "number": f"a number from {node.get('minimum')} to {node.get('maximum')}",
        "string": f"text of at most {node.get('maxLength')} characters",
        "object": f"a section of {', '.join(_known_keys(node))}",
    }[kind]


def _values(node: JsonSchema) -> JsonSchema:
    if patterns := node.get("patternProperties"):
        return next(iter(patterns.values()))
    return node["additionalProperties"]


def _node(schema: JsonSchema, location: Sequence[int | str]) -> JsonSchema:
    node = resolve(schema, schema)
    for part in location:
        if isinstance(part, int):
            node = node["items"]
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif "items" not in node:
            node = _values(node)
        node = resolve(schema, node)
    return node


def resolve(schema: JsonSchema, node: JsonSchema) -> JsonSchema:
    """What a node stands for: the section that it refers to, and of options the one with a type."""
    if options := node.get("anyOf"):
        node = next(option for option in options if option.get("type") != "null")
    while reference := node.get("$ref"):
        node = schema["$defs"][reference.rpartition("/")[2]]
    return node


def _known_keys(node: JsonSchema) -> list[str]:
    return list(node.get("properties", {}))


def suggestion(name: str, known: Sequence[str]) -> str:
    """What to write instead of ``name``."""
    lowered = {key.lower(): key for key in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    if close:
        return f"did you mean {lowered[close[0]]}?"
    return f"use {', '.join(known)}"
