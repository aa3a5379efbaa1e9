"""``config`` and ``configFile`` of a service."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import FilePath, RelativePath, check_unicode


class _ConfigValues:
    """Any mapping without encrypted values, which a ConfigMap would show."""

    allowed = "a mapping without encrypted values: those belong to secrets or env"

    def _validate(self, value: dict[str, Any]) -> dict[str, Any]:
        if _has_secret(value):
            raise ValueError(self.allowed)
        check_unicode(json.dumps(value, ensure_ascii=False))
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": True,
            "patternErrorMessage": f"use {self.allowed}",
        }


def _has_secret(value: object) -> bool:
    match value:
        case {"secure": str(), **rest} if not rest:
            return True
        case dict():
            return any(map(_has_secret, value.values()))
        case list():
            return any(map(_has_secret, value))
    return False


ConfigValues = Annotated[dict[str, Any], _ConfigValues()]
"""Content of the configuration file."""


class ConfigFileSettings(Section):
    """Configuration file with the content of `config`. There is none without `config`."""

    path: FilePath | None = None
    """Path in the container. Default: `/etc/<service>/config.yaml`, or `.json`."""
    format: Literal["yaml", "json"] = "yaml"
    """Format of the file."""
    reload: Literal["restart", "hot"] = "restart"
    """`hot` if the service reads a changed file itself. `restart` restarts the pods."""
    schema_file: Annotated[RelativePath | None, Field(alias="schema")] = None
    """JSON Schema of `config`, in the source folder. Default: `config.schema.json`, if it exists.
    Keys with `"x-restart-required": true` restart the pods in any case."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.path is not None and PurePosixPath(self.path).parent == PurePosixPath("/"):
            yield FieldError("path", self.path, "a file in a folder, like /etc/shop/config.yaml")

    def path_of(self, service: str) -> PurePosixPath:
        """Path of the file in the container of ``service``."""
        return PurePosixPath(self.path or f"/etc/{service}/config.{self.format}")
