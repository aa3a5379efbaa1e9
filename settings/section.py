"""Base class of all sections."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from settings.errors import FieldError


class Section(BaseModel):
    """Immutable group of keys. Unknown keys, wrong types and values out of range are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )

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
