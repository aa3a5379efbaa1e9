"""Values that are an integer or a string."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class IntOrString:
    """Integers from ``minimum`` to ``maximum``, and strings that match ``pattern``.

    ``allowed`` describes the values in error messages and in the JSON schema. ``max_length`` of
    strings is by default unlimited.
    """

    allowed: str
    minimum: int
    maximum: int
    pattern: str
    max_length: int | None = None

    def _validate(self, value: object) -> int | str:
        match value:
            case bool():
                pass
            case int() if self.minimum <= value <= self.maximum:
                return value
            case str() if self._fits(value) and re.fullmatch(self.pattern, value):
                return value
        raise ValueError(self.allowed)

    def _fits(self, text: str) -> bool:
        return self.max_length is None or len(text) <= self.max_length

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": ["integer", "string"],
            "minimum": self.minimum,
            "maximum": self.maximum,
            "pattern": f"^{self.pattern}$",
            **({"maxLength": self.max_length} if self.max_length is not None else {}),
            "patternErrorMessage": f"use {self.allowed}",
        }
