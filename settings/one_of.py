"""Sections in which one of several keys is set."""

from collections.abc import Iterator, Sequence

from settings.errors import MISSING, FieldError
from settings.section import Section


def one_of_errors(section: Section, fields: Sequence[str]) -> Iterator[FieldError]:
    """An error if none of ``fields`` is set, and one for each that is set beside the first."""
    if all(getattr(section, name) is None for name in fields):
        yield FieldError(_key(section, fields[0]), MISSING, f"one of {_keys(section, fields)}")
    yield from at_most_one_errors(section, fields)


def at_most_one_errors(section: Section, fields: Sequence[str]) -> Iterator[FieldError]:
    """An error for each of ``fields`` that is set beside the first of them."""
    values = {name: value for name in fields if (value := getattr(section, name)) is not None}
    for name, value in [*values.items()][1:]:
        shown = value.model_dump(by_alias=True) if isinstance(value, Section) else value
        yield FieldError(_key(section, name), shown, f"only one of {_keys(section, fields)}")


def _keys(section: Section, fields: Sequence[str]) -> str:
    return ", ".join(_key(section, name) for name in fields)


def _key(section: Section, field: str) -> str:
    return str(type(section).model_fields[field].alias)
