"""Base class of all sections."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

from settings.errors import FieldError


class Section(BaseModel):
    """Immutable group of keys. Unknown keys, wrong types and values out of range are errors.

    A default that sets no key is made with ``model_construct``, which does not validate it: each
    import of the settings would build a validator for its class. The tests validate the defaults.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        # Each class is part of `Settings`, which builds one validator for all of them.
        defer_build=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe each key by the docstring of its field.

        ``use_attribute_docstrings`` would parse the source of the class at each start.
        """
        reference = handler(core_schema)
        properties = handler.resolve_ref_schema(reference).get("properties", {})
        for name, text in _field_docstrings(cls):
            properties[cls.model_fields[name].alias]["description"] = text
        return reference

    def cross_field_errors(self) -> Iterator[FieldError]:
        """Values that are valid alone but not together."""
        yield from ()

    def completed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` with the values of this section for required keys that it omits."""
        completed = dict(given)
        for name, field in type(self).model_fields.items():
            key, value = field.alias or name, getattr(self, name)
            if isinstance(value, Section) and isinstance(given.get(key), dict):
                completed[key] = value.completed(given[key])
            elif field.is_required():
                completed.setdefault(key, value)
        return completed

    @model_validator(mode="before")
    @classmethod
    def _complete_from_defaults(cls, values: Any) -> Any:  # noqa: ANN401
        """Complete each section that is given in part with the required keys of its default."""
        if not isinstance(values, dict):
            return values
        completed = dict(values)
        for field in cls.model_fields.values():
            given = values.get(field.alias)
            if isinstance(given, dict) and isinstance(field.default, Section):
                completed[field.alias] = field.default.completed(given)
        return completed

    @model_validator(mode="after")
    def _validate_cross_field(self) -> Self:
        if errors := tuple(self.cross_field_errors()):
            text = "; ".join(map(str, errors))
            raise PydanticCustomError("cross_field", "{text}", {"text": text, "errors": errors})
        return self


def _field_docstrings(section: type[Section]) -> Iterator[tuple[str, str]]:
    """Names and docstrings of the fields, with those of the base classes first."""
    for base in reversed(section.__mro__[: section.__mro__.index(Section)]):
        for field, following in pairwise(_classes(base.__module__)[base.__name__].body):
            match field, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    yield name, inspect.cleandoc(text)


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module, by name."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
