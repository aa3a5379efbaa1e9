"""``secrets`` of a service: files in the container."""

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from settings.secret import DECRYPTED, ENCRYPTED
from settings.section import Section
from settings.string_formats import StringFormat

# The Secret of an entry is `<service>-<name>`, as those of `env` and of the registry are.
SecretFileName = Annotated[
    str,
    StringFormat(
        "a DNS label of at most 50 of a-z, 0-9 and -, and not env or registry",
        r"(?!(env|registry)$)[a-z0-9]([-a-z0-9]*[a-z0-9])?",
        50,
    ),
]


class Generate(Section):
    """Random value, kept in the stack's state."""

    length: Annotated[int, Field(ge=8, le=1024)] = 32
    """Number of characters."""
    special: bool = False
    """Includes punctuation, not only letters and digits."""


class GeneratedSecret(Section):
    """Secret that is generated once."""

    generate: Generate


class _SecretFile:
    """An encrypted value, or one to generate."""

    allowed = (
        "an encrypted value, set with `pulumi config set --secret --path`, or a mapping with"
        " generate"
    )

    def _validate(
        self,
        value: object,
        generated: core_schema.ValidatorFunctionWrapHandler,
        info: ValidationInfo,
    ) -> GeneratedSecret | SecretStr:
        match value:
            case {"secure": str(), **rest} if not rest:
                return SecretStr(ENCRYPTED)
            case str() if value and info.context is DECRYPTED:
                return SecretStr(value)
            case dict() | GeneratedSecret():
                return generated(value)
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(
            self._validate,
            handler.generate_schema(GeneratedSecret),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        generated = handler.resolve_ref_schema(handler(schema))
        properties = {**generated["properties"], "secure": {"type": "string"}}
        return {
            **{key: value for key, value in generated.items() if key != "required"},
            "properties": properties,
            "writeOnly": True,
            "patternErrorMessage": f"use {self.allowed}",
        }


SecretFile = Annotated[GeneratedSecret | SecretStr, _SecretFile()]
SecretFiles = Annotated[dict[SecretFileName, SecretFile], Field(max_length=50)]
"""Secrets by file name."""
