"""``env`` and ``envFrom`` of a container."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from settings.errors import FieldError
from settings.one_of import one_of_errors
from settings.secret import Secret
from settings.section import Section
from settings.string_formats import StringFormat, check_unicode

ObjectName = Annotated[
    str,
    StringFormat(
        "an object's name: at most 253 of a-z, 0-9, - and ., like database",
        r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    ),
]
DataKey = Annotated[
    str,
    StringFormat(
        "a key of a Secret or ConfigMap: letters, digits, -, _ and ., like password",
        r"[-._A-Za-z0-9]+",
    ),
]
EnvName = Annotated[
    str,
    StringFormat(
        "a variable's name: letters, digits and _, like LOG_LEVEL", r"[A-Za-z_][A-Za-z0-9_]*"
    ),
]
FieldPath = Annotated[
    str,
    StringFormat(
        "a field of the pod, like status.podIP, metadata.uid or metadata.labels['track']",
        r"metadata\.(name|namespace|uid|(labels|annotations)\['[-._/A-Za-z0-9]+'\])"
        r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs)",
    ),
]


class KeyRef(Section):
    """Key of a Secret or ConfigMap in the stack's namespace that others create."""

    name: ObjectName
    """Name of the object."""
    key: DataKey
    """Key of its data."""


class EnvKeyRef(KeyRef):
    """Source of a variable's value."""

    optional: bool = False
    """Starts the pod also if the object or the key is missing."""


class FieldRef(Section):
    """Field of the pod."""

    field_path: FieldPath
    """Path of the field."""


class EnvSource(Section):
    """Source of a variable's value: one of the keys."""

    secret: Secret | None = None
    """Encrypted value, stored in a Secret of the service. A new value restarts the pods."""
    secret_key_ref: EnvKeyRef | None = None
    """Key of an existing Secret."""
    config_map_key_ref: EnvKeyRef | None = None
    """Key of an existing ConfigMap."""
    field_ref: FieldRef | None = None
    """Field of the pod."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(
            self, ("secret", "secret_key_ref", "config_map_key_ref", "field_ref")
        )


class _EnvValue:
    """Text, or a source of the value."""

    allowed = "text in quotes, or a mapping with secret, secretKeyRef, configMapKeyRef or fieldRef"

    def _validate(
        self, value: object, source: core_schema.ValidatorFunctionWrapHandler
    ) -> EnvSource | str:
        match value:
            case str():
                return check_unicode(value)
            case {"secure": str(), **rest} if not rest:
                raise ValueError(self.allowed)
            case dict() | EnvSource():
                return source(value)
        raise ValueError(self.allowed)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._validate,
            handler.generate_schema(EnvSource),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            **handler.resolve_ref_schema(handler(schema)),
            "type": ["string", "object"],
            "patternErrorMessage": f"use {self.allowed}",
        }


EnvValue = Annotated[EnvSource | str, _EnvValue()]
Env = Annotated[dict[EnvName, EnvValue], Field(max_length=500)]


class ObjectRef(Section):
    """Secret or ConfigMap in the service's namespace that others create."""

    name: ObjectName
    """Name of the object."""
    optional: bool = False
    """Starts the pod also if the object is missing."""


class EnvFromSource(Section):
    """Object whose keys all become variables: `secretRef` or `configMapRef`."""

    prefix: Annotated[str, Field(max_length=100)] = ""
    """Prefix of the variables' names."""
    secret_ref: ObjectRef | None = None
    """Secret."""
    config_map_ref: ObjectRef | None = None
    """ConfigMap."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("secret_ref", "config_map_ref"))


EnvFrom = Annotated[tuple[EnvFromSource, ...], Field(strict=False, max_length=20)]
