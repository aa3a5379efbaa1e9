"""Errors in a stack's configuration: key, value and allowed values."""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from settings.schema import JsonSchema, allowed_values, known_keys, node_at

_MAX_ERRORS = 50
_MAX_VALUE_LENGTH = 80
MISSING: Final = object()
"""Value of a key that is omitted."""


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

    @property
    def reason(self) -> str:
        """The message without the key."""
        value = "missing" if self.value is MISSING else format_value(self.value)
        return f"is {value}: use {self.allowed}"

    def __str__(self) -> str:
        return f"{self.key} {self.reason}"


@dataclass(frozen=True)
class InvalidKey:
    """An error of a key, with the kind of validation that found it."""

    key: str
    reason: str
    """The rest of the message, like ``is 50: use at most 10``."""
    kind: Literal["value", "missing", "cross_field"] = "value"

    def __str__(self) -> str:
        return f"{self.key} {self.reason}"


def format_value(value: object) -> str:
    """``value`` as JSON, truncated to 80 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"


def invalid_keys(error: ValidationError, schema: JsonSchema) -> Iterator[InvalidKey]:
    """The errors that pydantic found; ``schema`` is the model's JSON schema."""
    details = error.errors(include_url=False)
    locations = {detail["loc"] for detail in details}
    parents = {location[:end] for location in locations for end in range(len(location))}
    for detail in details:
        location = detail["loc"]
        if location in parents:
            continue  # an invalid item is reported itself, not its list as well
        key = dotted(location)
        if detail["type"] == "cross_field":
            for field_error in detail.get("ctx", {})["errors"]:
                inner = f"{key}.{field_error.key}" if location else field_error.key
                yield InvalidKey(inner, field_error.reason, "cross_field")
            continue
        if detail["type"] == "extra_forbidden":
            yield InvalidKey(key, f"is not a key: {_known_key(location, schema)}")
            continue
        if location[-1] == "[key]":
            key = dotted(location[:-2])
            node = node_at(schema, location[:-2])["propertyNames"]
        else:
            node = node_at(schema, location)
        kind = "missing" if detail["type"] == "missing" else "value"
        yield InvalidKey(key, _reason(detail, schema, node), kind)


def _reason(detail: ErrorDetails, schema: JsonSchema, node: JsonSchema) -> str:
    """Reason that a value is invalid, and the allowed values."""
    value, allowed = detail["input"], allowed_values(schema, node)
    match detail["type"]:
        case "missing":
            return f"is missing: use {allowed}"
        case "secret_format":
            return f"has {detail['msg']}"
        case _ if node.get("writeOnly"):
            return f"is not encrypted: use {allowed}"
        case "string_unicode":
            return "has an unpaired surrogate, which is not a character: use the character itself"
        case "string_type" if isinstance(value, bool | int | float):
            quoted = "" if "in quotes" in allowed else ", in quotes"
            allowed += f"{quoted} (`pulumi config set --path --type string`)"
    return f"is {format_value(value)}: use {allowed}"


def _known_key(location: Sequence[int | str], schema: JsonSchema) -> str:
    """The key to use instead of an unknown one."""
    if location[0] in known_keys(node_at(schema, ("defaults",))):
        return f"use services.<name>.{location[0]}, or defaults.{location[0]}"
    return suggestion(str(location[-1]), known_keys(node_at(schema, location[:-1])))


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
