"""``slipway:defaults``: a partial service that is merged under each service."""

from collections.abc import Callable
from typing import Any, TypeGuard

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from settings.service import Service
from settings.yaml_reader import Location


class _PartialService:
    """A mapping with keys of a service; the loader validates it merged with the services."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(Service.__pydantic_core_schema__)


PARTIAL_SERVICE = _PartialService()


def merge(
    defaults: Any,  # noqa: ANN401
    values: Any,  # noqa: ANN401
    accepts_null: Callable[[Location], bool],
    location: Location = (),
    *,
    replaces: Callable[[Location], bool] = lambda _: False,
) -> Any:  # noqa: ANN401
    """Return ``values`` merged over ``defaults``.

    Mappings merge; lists, scalars, encrypted values and the mappings that ``replaces`` selects
    replace. ``null`` removes the default of a key, unless the key itself may be ``null``.
    """
    if not (is_mapping(defaults) and is_mapping(values)) or (location and replaces(location)):
        return values
    merged = dict(defaults)
    for key, value in values.items():
        inner = (*location, key)
        if value is None and key in defaults and not accepts_null(inner):
            del merged[key]
        elif key in defaults:
            merged[key] = merge(defaults[key], value, accepts_null, inner, replaces=replaces)
        else:
            merged[key] = value
    return merged


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """True for a mapping of keys, as opposed to an encrypted value."""
    return isinstance(value, dict) and not is_encrypted(value)


def is_encrypted(value: object) -> bool:
    """True for an encrypted value of a stack file."""
    return isinstance(value, dict) and list(value) == ["secure"]
