"""``secrets`` of a service: files and environment variables of the container."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from settings.errors import MISSING, FieldError
from settings.one_of import one_of_errors
from settings.secret import DECRYPTED, Secret
from settings.secret_stores import StoreName
from settings.section import Section
from settings.security_context import Reason
from settings.sops import SopsSource
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

# The name is in the key of an annotation of the pods, `exceptions/env.<variable>`.
_VariableName = Annotated[
    str,
    StringFormat(
        "a variable's name: at most 59 letters, digits and _, not ending with _, like LOG_LEVEL",
        r"(?!_$)[A-Za-z_]([A-Za-z0-9_]*[A-Za-z0-9])?",
        59,
    ),
]


class Generate(Section):
    """Random value, kept in the stack's state."""

    length: Annotated[int, Field(ge=8, le=1024)] = 32
    """Number of characters."""
    special: bool = False
    """Includes punctuation, not only letters and digits."""
    rotation: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Any text, such as a date. The value is generated again when it changes."""


class ExternalSecretSource(Section):
    """Value in a store of `secretStores`. External Secrets reads it."""

    store: StoreName
    """Name of the store."""
    key: Annotated[str, Field(min_length=1, max_length=512)]
    """Path or name of the secret in the store, like shop/database."""
    property: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Key in the secret, if it has several, like password."""
    refresh_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds between two reads."""


OnChange = Literal["none", "restart", "release"]


class SecretEntry(Section):
    """Secret of a service: one of `value`, `generate`, `external` and `sops`."""

    value: Secret | None = None
    """Encrypted value. An entry that is only an encrypted value is the same."""
    generate: Generate | None = None
    external: ExternalSecretSource | None = None
    sops: SopsSource | None = None
    as_: Annotated[Literal["file", "env"], Field(alias="as")] = "file"
    """Mounts the value as a file, or reads it into the environment variable `variable`."""
    variable: _VariableName | None = None
    """Name of the environment variable, with `env`."""
    reason: Reason | None = None
    """Reason why the value must be in the environment, which child processes and crash reports
    expose. Required with `env`."""
    on_change: OnChange | None = None
    """Effect of a new value. `none`: the service reads the file again, which the kubelet updates
    within two minutes. `restart`: a rolling restart, by the update that changes the value, or with
    `external` by Reloader. `release`: each version keeps the value that it was first deployed with;
    the next version gets the new one. Default: `restart`, and with `external` `none`."""

    @property
    def effect(self) -> OnChange:
        """``onChange``, or its default."""
        return self.on_change or ("none" if self.external else "restart")

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("value", "generate", "external", "sops"))
        for key, value in (("variable", self.variable), ("reason", self.reason)):
            if self.as_ == "env" and value is None:
                yield FieldError(key, MISSING, f'the {key}, or as "file"')
            elif self.as_ == "file" and value is not None:
                yield FieldError(key, value, f'no {key}, or as "env"')
        if self.as_ == "env" and self.effect == "none":
            allowed = '"restart" or "release": a process reads its environment once'
            yield FieldError("onChange", self.effect, allowed)


def secret_name(service: str, entry: str, version: str = "") -> str:
    """Name of the Secret of an entry; ``version`` is the one that keeps it."""
    return f"{service}-{entry}" + (f"-{version.replace('.', '-').lower()}" if version else "")


class _SecretEntry:
    """An encrypted value, or a mapping with the source of the value."""

    allowed = (
        "an encrypted value, set with `pulumi config set --secret --path`, or a mapping with"
        " generate, external, sops or value"
    )

    def _validate(
        self, value: object, entry: core_schema.ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> SecretEntry:
        match value:
            case {"secure": str(), **rest} if not rest:
                return entry({"value": value})
            case str() if value and info.context is DECRYPTED:
                return entry({"value": value})
            case {"secure": _, **rest} if rest:
                text = 'keys beside "secure": use the key "value" for the encrypted value'
                raise PydanticCustomError("secret_format", text)
            case {"secure": _}:
                pass
            case dict() | SecretEntry():
                return entry(value)
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        entry = handler.resolve_ref_schema(handler(schema))
        return {
            **entry,
            "properties": {**entry["properties"], "secure": {"type": "string"}},
            "writeOnly": True,
            "patternErrorMessage": f"use {self.allowed}",
        }


SecretFiles = Annotated[
    dict[SecretFileName, Annotated[SecretEntry, _SecretEntry()]], Field(max_length=50)
]
"""Secrets by name."""
