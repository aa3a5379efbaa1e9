"""``slipway:defaults``: a partial service that is merged under each service."""

from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from settings.schema import JsonSchema, accepts_null, child_node
from settings.service import Service


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


def merge(defaults: Any, service: Any, schema: JsonSchema, node: JsonSchema) -> Any:  # noqa: ANN401
    """Return ``service`` merged over ``defaults``; ``node`` of ``schema`` describes both.

    Mappings merge, lists and scalars replace. ``null`` removes the default of a key, unless the key
    itself may be ``null``.
    """
    if not (isinstance(defaults, dict) and isinstance(service, dict)):
        return service
    merged = dict(defaults)
    for key, value in service.items():
        inner = child_node(schema, node, key)
        if value is None and key in defaults and not accepts_null(inner):
            del merged[key]
        elif key in defaults:
            merged[key] = merge(defaults[key], value, schema, inner)
        else:
            merged[key] = value
    return merged
