"""JSON Schema that a service ships for its configuration file.

Beyond the standard it may use the format ``go-duration`` with ``formatMinimum`` and
``formatMaximum``, and ``x-restart-required`` for keys that the service reads only at startup.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import MISSING, FieldError, dotted, suggestion
from settings.quantities import duration_seconds
from settings.schema import JsonSchema, allowed_values

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_GO_DURATION = re.compile(
    r"(?=.*[0-9])([0-9]*(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+|0"  # no sign: no setting is negative
)
_RESTART = "x-restart-required"


class InvalidSchemaError(Exception):
    """A file is not a JSON Schema. The message says why."""


class ConfigSchema:
    """JSON Schema of the configuration file of a service."""

    def __init__(self, schema: JsonSchema) -> None:
        from jsonschema.exceptions import SchemaError  # noqa: PLC0415  # only where a schema exists

        self._schema = schema
        try:
            self._validator.check_schema(dict(schema))
        except SchemaError as error:
            where = dotted([*error.absolute_path]) or "the schema"
            raise InvalidSchemaError(f"{where}: {error.message}") from None

    @classmethod
    def read(cls, file: Path) -> "ConfigSchema":
        """Read a schema. Raises :class:`InvalidSchemaError`."""
        try:
            return cls._parsed(file.read_text())
        except OSError as error:
            raise InvalidSchemaError(str(error.strerror)) from None

    @classmethod
    @lru_cache
    def _parsed(cls, text: str) -> "ConfigSchema":
        # Checking a schema takes a tenth of a second; settings are loaded several times.
        try:
            schema = json.loads(text)
        except ValueError as error:
            raise InvalidSchemaError(f"not JSON: {error}") from None
        if not isinstance(schema, dict):
            raise InvalidSchemaError("not a JSON object")
        return cls(schema)

    def errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Messages for the values that the schema does not allow; keys begin with ``config``."""
        seen: set[str] = set()
        for error in self._iterate(self._validator, config):
            for leaf in _leaves(error):
                for message in self._messages(leaf):
                    if message not in seen:
                        seen.add(message)
                        yield message

    def restart_required(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Values of ``config``, by key, that the service reads only at startup."""
        marked = self._iterate(self._restart_validator, config)
        return {
            dotted([*error.absolute_path]): error.instance
            for error in _all(marked)
            if error.validator == _RESTART
        }

    def _messages(self, error: "ValidationError") -> Iterator[str]:
        path = ["config", *error.absolute_path]
        schema: Any = error.schema
        value: Any = error.instance
        key = dotted(path)
        if schema is False:
            yield f"{key} is not allowed"
            return
        known = [*schema.get("properties", {})]
        match error.validator:
            case "additionalProperties" | "unevaluatedProperties":
                patterns = schema.get("patternProperties", {})
                for name in value:
                    if name not in known and not any(re.search(one, name) for one in patterns):
                        yield f"{key}.{name} is not a key: {suggestion(name, known)}"
            case "required":
                for name in schema["required"]:
                    if name not in value:
                        node = schema.get("properties", {}).get(name, {})
                        allowed = allowed_values(self._schema, node)
                        yield str(FieldError(f"{key}.{name}", MISSING, allowed))
            case _:
                yield str(FieldError(key, value, allowed_values(self._schema, schema)))

    def _iterate(
        self, validator: "type[Validator]", config: Mapping[str, Any]
    ) -> Iterator["ValidationError"]:
        from jsonschema_specifications import REGISTRY  # noqa: PLC0415
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        formats = validator.FORMAT_CHECKER
        # The registry has the standard's own schemas only: a reference is never downloaded.
        instance = validator(self._schema, registry=REGISTRY, format_checker=formats)
        try:
            yield from instance.iter_errors(config)
        except Unresolvable as error:
            raise InvalidSchemaError(f"$ref {error.ref} cannot be resolved") from None

    @cached_property
    def _validator(self) -> "type[Validator]":
        from jsonschema import Draft202012Validator, FormatChecker, validators  # noqa: PLC0415

        formats = FormatChecker()
        formats.checks("go-duration")(_is_go_duration)
        return validators.extend(
            validators.validator_for(self._schema, Draft202012Validator),
            {"formatMinimum": _format_minimum, "formatMaximum": _format_maximum},
            format_checker=formats,
        )

    @cached_property
    def _restart_validator(self) -> "type[Validator]":
        from jsonschema import validators  # noqa: PLC0415

        return validators.extend(self._validator, {_RESTART: _mark})


def _leaves(error: "ValidationError") -> Iterator["ValidationError"]:
    """Errors of the only branch of ``anyOf`` or ``oneOf`` for the value's type, or ``error``."""
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    of_its_type = [
        errors
        for errors in branches.values()
        if not any(one.validator == "type" and not one.relative_path for one in errors)
    ]
    if error.validator in ("anyOf", "oneOf") and len(of_its_type) == 1:
        for inner in of_its_type[0]:
            yield from _leaves(inner)
    else:
        yield error


def _all(errors: Iterator["ValidationError"]) -> Iterator["ValidationError"]:
    for error in errors:
        yield error
        yield from _all(iter(error.context or ()))


def _is_go_duration(value: object) -> bool:
    return not isinstance(value, str) or _GO_DURATION.fullmatch(value) is not None


def _format_minimum(
    _: "Validator", minimum: str, value: object, schema: JsonSchema
) -> Iterator["ValidationError"]:
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    if _is_duration(value, schema) and duration_seconds(str(value)) < duration_seconds(minimum):
        yield ValidationError(f"{value} is less than {minimum}")


def _format_maximum(
    _: "Validator", maximum: str, value: object, schema: JsonSchema
) -> Iterator["ValidationError"]:
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    if _is_duration(value, schema) and duration_seconds(str(value)) > duration_seconds(maximum):
        yield ValidationError(f"{value} is more than {maximum}")


def _is_duration(value: object, schema: JsonSchema) -> bool:
    is_duration = schema.get("format") == "go-duration" and isinstance(value, str)
    return is_duration and _is_go_duration(value)


def _mark(
    _: "Validator", marked: object, __: object, ___: JsonSchema
) -> Iterator["ValidationError"]:
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    if marked is True:
        yield ValidationError("read only at startup")
