"""Secret values."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from settings.string_formats import SECRET_TOKEN, SECRET_URL, StringFormat

DECRYPTED: Final = object()
"""Validation context: secrets are plain text, decrypted by the Pulumi engine."""
ENCRYPTED: Final = "(encrypted)"
"""Value of a secret that is not decrypted. Its format cannot be checked."""


@dataclass(frozen=True)
class _Secret:
    """A value that is encrypted in the stack file and decrypted in the program.

    An error never has the value.
    """

    format: StringFormat | None = None
    """Format of the decrypted value. Default: any text."""
    allowed = "an encrypted value: set it with `pulumi config set --secret --path`"

    def _validate(self, value: object, info: ValidationInfo) -> SecretStr:
        match value:
            case {"secure": str(), **rest} if not rest:
                return SecretStr(ENCRYPTED)
            case str() if value and info.context is DECRYPTED:
                if self.format and value != ENCRYPTED and not self.format.matches(value):
                    text = "a secret of the wrong format: use {allowed}"
                    raise PydanticCustomError(
                        "secret_format", text, {"allowed": self.format.allowed}
                    )
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
SecretUrl = Annotated[SecretStr, _Secret(SECRET_URL)]
SecretToken = Annotated[SecretStr, _Secret(SECRET_TOKEN)]
