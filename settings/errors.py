"""Errors in a stack's configuration: key, value and allowed values."""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.schema import JsonSchema, allowed_values, known_keys, node_at

_MAX_ERRORS = 50
_MAX_VALUE_LENGTH = 80


class SettingsError(Exception):
    """A stack's configuration is invalid. The message lists the first errors, one per line."""

    def __init__(self, source: str, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        shown = [*errors[:_MAX_ERRORS]]
        if len(errors) > _MAX_ERRORS:
            shown.append(f"and {len(errors) - _MAX_ERRORS} more")
        lines = "".join(f"\n  {error}" for error in shown)
        super().__init__(f"{source} has {count}:{lines}")


@dataclass(frozen=True)
class FieldError:
    """An invalid value."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.key} is {format_value(self.value)}: use {self.allowed}"


def format_value(value: object) -> str:
    """``value`` as JSON, truncated to 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"


def validation_messages(error: ValidationError, prefix: str, schema: JsonSchema) -> Iterator[str]:
    """One message for each error that pydantic found; ``schema`` is the model's JSON schema."""
    details = error.errors(include_url=False)
    for detail in details:
        location = detail["loc"]
        if any(_is_inside(other["loc"], location) for other in details):
            continue  # an invalid item is reported itself, not its list as well
        key = prefix + dotted(location)
        if detail["type"] == "cross_field":
            for field_error in detail.get("ctx", {})["errors"]:
                inner = f"{key}.{field_error.key}" if location else f"{key}{field_error.key}"
                yield str(replace(field_error, key=inner))
            continue
        if detail["type"] == "extra_forbidden":
            known = known_keys(node_at(schema, location[:-1]))
            yield f"{key} is not a key: {suggestion(str(location[-1]), known)}"
            continue
        if location[-1] == "[key]":
            key = prefix + dotted(location[:-2])
            node = node_at(schema, location[:-2])["propertyNames"]
        else:
            node = node_at(schema, location)
        yield f"{key} {_problem(detail, schema, node)}"


def _problem(detail: ErrorDetails, schema: JsonSchema, node: JsonSchema) -> str:
    """What is wrong with the value of a key, and the allowed values."""
    value, allowed = detail["input"], allowed_values(schema, node)
    match detail["type"]:
        case "missing":
            return f"is missing: use {allowed}"
        case "secret_format":
            return f"has {detail['msg']}"
        case _ if node.get("writeOnly"):
            return f"is not encrypted: use {allowed}"
        case "string_unicode":
            return "has half of a surrogate pair, which is no character: use the character"
        case "string_type" if isinstance(value, bool | int | float):
            quoted = "" if "in quotes" in allowed else ", in quotes"
            allowed += f"{quoted} (`pulumi config set --path --type string`)"
    return f"is {format_value(value)}: use {allowed}"


def _is_inside(inner: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    return len(inner) > len(outer) and tuple(inner[: len(outer)]) == tuple(outer)


def dotted(location: Sequence[int | str]) -> str:
    """A path of keys and list indexes in the form ``routing.paths[1]``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def suggestion(name: str, known: Sequence[str]) -> str:
    """The known key closest to ``name``, or else all of them."""
    lowered = {key.lower(): key for key in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    if close:
        return f"did you mean {lowered[close[0]]}?"
    return f"use {', '.join(known)}"
