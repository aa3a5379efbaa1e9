"""``slipway:defaults``: a partial service that is merged under each service."""

from collections.abc import Callable
from typing import Any

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
    service: Any,  # noqa: ANN401
    accepts_null: Callable[[Location], bool],
    location: Location = (),
) -> Any:  # noqa: ANN401
    """Return ``service`` merged over ``defaults``.

    Mappings merge, lists and scalars replace. ``null`` removes the default of a key, unless the key
    itself may be ``null``.
    """
    if not (isinstance(defaults, dict) and isinstance(service, dict)):
        return service
    merged = dict(defaults)
    for key, value in service.items():
        inner = (*location, key)
        if value is None and key in defaults and not accepts_null(inner):
            del merged[key]
        elif key in defaults:
            merged[key] = merge(defaults[key], value, accepts_null, inner)
        else:
            merged[key] = value
    return merged
