"""Secret values."""

from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic_core import CoreSchema, core_schema

DECRYPTED: Final = object()
"""Validation context: secrets are plain text, decrypted by the Pulumi engine."""


class _Secret:
    """A value that is encrypted in the stack file and decrypted in the program."""

    allowed = "an encrypted value: set it with `pulumi config set --secret --path`"

    def _validate(self, value: object, info: ValidationInfo) -> SecretStr:
        match value:
            case {"secure": str(), **rest} if not rest:
                return SecretStr("(encrypted)")
            case str() if value and info.context is DECRYPTED:
                return SecretStr(value)
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"secure": {"type": "string"}},
            "required": ["secure"],
            "additionalProperties": False,
            "writeOnly": True,
            "patternErrorMessage": f"use {self.allowed}",
        }


Secret = Annotated[SecretStr, _Secret()]
