"""Base class of all sections."""

from collections.abc import Iterator
from typing import Self

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

    @model_validator(mode="after")
    def _validate_cross_field(self) -> Self:
        if errors := tuple(self.cross_field_errors()):
            text = "; ".join(map(str, errors))
            raise PydanticCustomError("cross_field", "{text}", {"text": text, "errors": errors})
        return self
