"""Validation of a configuration file by the JSON Schema that its service ships."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings.config_schema import ConfigSchema, InvalidSchemaError

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "debug": {"type": "boolean"},
        "level": {"enum": ["debug", "info"]},
        "version": {"const": 2},
        "workers": {"type": "integer", "minimum": 1, "maximum": 64},
        "factor": {"type": "number", "exclusiveMinimum": 0},
        "even": {"type": "integer", "multipleOf": 2},
        "message": {"type": "string", "maxLength": 5},
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "address": {"type": "string", "format": "ipv4"},
        "topics": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "drain": {
            "type": "string",
            "format": "go-duration",
            "formatMinimum": "0s",
            "formatMaximum": "5m",
        },
        "timeouts": {"$ref": "#/$defs/timeouts"},
        "cache": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/cache"}]},
        "limits": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 9}},
        "optional": {"type": ["string", "null"]},
    },
    "$defs": {
        "timeouts": {
            "type": "object",
            "additionalProperties": False,
            "required": ["read"],
            "properties": {
                "read": {"type": "string", "format": "go-duration", "x-restart-required": True},
                "shutdown": {"type": "string", "format": "go-duration", "formatMinimum": "1s"},
            },
        },
        "cache": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 1, "x-restart-required": True},
                "ttl": {"type": "string"},
            },
        },
    },
}


def errors_of(config: dict[str, Any]) -> list[str]:
    return list(ConfigSchema(SCHEMA).errors(config))


def test_allowed_values_have_no_errors() -> None:
    assert errors_of({}) == []
    assert (
        errors_of(
            {
                "debug": True,
                "level": "info",
                "factor": 0.5,
                "address": "10.0.0.1",
                "topics": ["a"],
                "drain": "1m30.5s",
                "timeouts": {"read": "100us"},
                "cache": None,
                "limits": {"a": 1},
                "optional": None,
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"debug": 1}, "config.debug is 1: use true or false"),
        ({"level": "trace"}, 'config.level is "trace": use "debug" or "info"'),
        ({"version": 1}, "config.version is 1: use 2"),
        ({"workers": 65}, "config.workers is 65: use an integer from 1 to 64"),
        ({"workers": "8"}, 'config.workers is "8": use an integer from 1 to 64'),
        ({"factor": 0}, "config.factor is 0: use a number above 0"),
        ({"even": 3}, "config.even is 3: use an integer, a multiple of 2"),
        ({"message": "longer"}, 'config.message is "longer": use a string of at most 5 characters'),
        ({"name": "A"}, 'config.name is "A": use a string that matches ^[a-z]+$'),
        ({"address": "ten"}, 'config.address is "ten": use a string in the format ipv4'),
        ({"topics": "a"}, 'config.topics is "a": use a list; each item: a string of at least 1'),
        ({"topics": ["a", ""]}, 'config.topics[1] is "": use a string of at least 1 characters'),
        ({"drain": "6m"}, 'config.drain is "6m": use a duration from 0s to 5m, like 1.5s'),
        ({"drain": "soon"}, 'config.drain is "soon": use a duration from 0s to 5m, like 1.5s'),
        ({"drain": 5}, "config.drain is 5: use a duration from 0s to 5m, like 1.5s"),
        (
            {"timeouts": {"read": "1s", "shutdown": "999ms"}},
            'config.timeouts.shutdown is "999ms": use a duration of at least 1s, like 1.5s',
        ),
        ({"timeouts": {}}, "config.timeouts.read is missing: use a duration, like 1.5s"),
        ({"timeouts": None}, "config.timeouts is null: use a mapping with the keys read, shutdown"),
        ({"cache": {"size": 0}}, "config.cache.size is 0: use an integer of at least 1"),
        ({"cache": 1}, "config.cache is 1: use null or a mapping with the keys size, ttl"),
        ({"limits": {"a": 10}}, "config.limits.a is 10: use an integer of at most 9"),
        ({"optional": 1}, "config.optional is 1: use a string or null"),
        ({"dbug": True}, "config.dbug is not a key: did you mean debug?"),
        (
            {"timeouts": {"read": "1s", "x": 1}},
            "config.timeouts.x is not a key: use read, shutdown",
        ),
    ],
)
def test_a_wrong_value_is_reported_with_its_key_and_the_allowed_values(
    config: dict[str, Any], message: str
) -> None:
    (error,) = errors_of(config)
    assert error.startswith(message)


def test_all_wrong_values_are_reported() -> None:
    assert len(errors_of({"debug": 1, "workers": 0, "a": 1, "b": 1})) == 4


def test_keys_that_are_read_at_startup_are_found_through_references_and_alternatives() -> None:
    schema = ConfigSchema(SCHEMA)
    config = {
        "debug": True,
        "timeouts": {"read": "1s", "shutdown": "2s"},
        "cache": {"size": 2, "ttl": "a"},
    }
    assert schema.restart_required(config) == {"timeouts.read": "1s", "cache.size": 2}
    assert schema.restart_required({"debug": True}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        (json.dumps({"properties": {"a": {"type": "text"}}}), "properties.a.type"),
    ],
)
def test_a_file_that_is_not_a_json_schema_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "config.schema.json"
    file.write_text(text)
    with pytest.raises(InvalidSchemaError, match=message):
        ConfigSchema.read(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSchemaError, match="No such file"):
        ConfigSchema.read(tmp_path / "config.schema.json")


def test_a_reference_to_another_document_is_not_downloaded() -> None:
    schema = ConfigSchema({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(InvalidSchemaError, match=r"\$ref http://127.0.0.1:9/schema.json cannot"):
        list(schema.errors({}))
