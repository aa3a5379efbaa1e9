"""What every group of keys has in common."""

from collections.abc import Iterator
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from schemas.problems import Problem


class Section(BaseModel):
    """A group of keys. Unknown keys, wrong types and values out of bounds are errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    def contradictions(self) -> Iterator[Problem]:
        """Values that are good alone, but not beside each other."""
        yield from ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if problems := tuple(self.contradictions()):
            text = "; ".join(map(str, problems))
            raise PydanticCustomError("contradiction", "{text}", {"text": text, "all": problems})
        return self
