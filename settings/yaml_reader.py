"""YAML reader that reads a value as the Pulumi CLI does, or refuses it.

YAML parsers differ in the types of plain scalars: ``010`` is 10 or 8, ``1_000`` a string or 1000.
Only spellings that all parsers read alike are accepted, and ``yes``, ``no``, ``on`` and ``off``,
which the Pulumi CLI reads as strings. Quoted scalars are always strings.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")  # exact as a float, too
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]")
_CONSTANTS = {"true": True, "false": False, "null": None, "": None}

# Everything that a YAML 1.1, YAML 1.2 or Go parser may read as something other than a string.
_NUMBER_LIKE = re.compile(
    r"""
    [-+]? (
        0[bB][01]+ | 0[oO][0-7]+ | 0[xX][0-9a-fA-F]+        # other bases
        | ([0-9]+ \.? [0-9]* | \.[0-9]+) ([eE][-+]?[0-9]+)? # decimal
        | [0-9]+ (:[0-5]?[0-9])+ (\.[0-9]*)?                # base 60
        | \.(inf|nan)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATE_LIKE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_BOOLEAN_LIKE = re.compile("true|false", re.IGNORECASE)
_YAML_1_1_BOOLEAN = re.compile("y|yes|n|no|on|off", re.IGNORECASE)
_NULL_LIKE = re.compile("~|null", re.IGNORECASE)
_OTHER = ("<<", "=")
_LINE_BREAKS = re.compile("[\x85\u2028\u2029]")
_MAX_DEPTH = 32

Location = tuple[str | int, ...]


class YamlError(Exception):
    """The text is not valid YAML."""


@dataclass
class YamlReader:
    """Reads one document."""

    is_checked: Callable[[Location], bool]
    """True for the locations whose plain scalars are resolved. Others are read as strings."""
    errors: list[tuple[Location, str]] = field(default_factory=list)
    """Values that are refused."""
    lines: dict[Location, int] = field(default_factory=dict[Location, int])
    """Line of each key of a mapping and of each item of a list."""

    def read(self, text: str) -> Any:  # noqa: ANN401
        """Read ``text``. Raises :class:`YamlError`; other errors are in :attr:`errors`."""
        if found := _LINE_BREAKS.search(text):
            line = text.count("\n", 0, found.start()) + 1
            raise YamlError(f"line {line} has a line break that is not a newline")
        try:
            events = yaml.parse(text, Loader=yaml.CSafeLoader)
            return self._document(events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it"
            if "Unicode character escape" in str(error.problem):
                place += " has an escape that is not a character, such as an unpaired surrogate"
                raise YamlError(f"{place}: write the character itself") from None
            raise YamlError(f"{place} is not valid YAML: {error.problem}") from None
        except yaml.YAMLError as error:
            raise YamlError(f"it is not valid YAML: {error}") from None

    def _document(self, events: Iterator[yaml.Event]) -> Any:  # noqa: ANN401
        value = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if event.version or event.tags:
                    raise YamlError("it has a directive: remove the line with %")
            elif not isinstance(
                event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentEndEvent
            ):
                value = self._value(event, events, ())
            if documents > 1:
                raise YamlError("it has more than one document")
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], location: Location) -> Any:  # noqa: ANN401
        if len(location) > _MAX_DEPTH:
            raise YamlError(f"it has more than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            self.errors.append((location, f"is the alias *{event.anchor}: repeat the value"))
            return None
        if tag := getattr(event, "tag", None):
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self.errors.append((location, f"has the tag {short}: remove it"))
        match event:
            case yaml.ScalarEvent():
                return self._scalar(event, location)
            case yaml.SequenceStartEvent():
                return self._sequence(events, location)
        return self._mapping(events, location)

    def _sequence(self, events: Iterator[yaml.Event], location: Location) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            inner = (*location, len(items))
            self.lines[inner] = event.start_mark.line + 1
            items.append(self._value(event, events, inner))
        return items

    def _mapping(self, events: Iterator[yaml.Event], location: Location) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                mark = event.start_mark
                raise YamlError(f"line {mark.line + 1} has a key that is not a string")
            key = event.value
            inner = (*location, key)
            if key in items:
                self.errors.append((inner, "is a duplicate key: remove one"))
            if event.tag or (self.is_checked(location) and not _is_string(event)):
                self.errors.append((inner, f"is a key that is not a string: use {_quoted(key)}"))
            self.lines[inner] = event.start_mark.line + 1
            items[key] = self._value(next(events), events, inner)
        return items

    def _scalar(self, event: yaml.ScalarEvent, location: Location) -> Any:  # noqa: ANN401
        text = event.value
        if _is_string(event) or not self.is_checked(location):
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
        self.errors.append((location, f"is {text}: use {_alternative(text)}{_quoted(text)}"))
        return None


def _is_string(event: yaml.ScalarEvent) -> bool:
    return bool(
        event.style or is_plain_string(event.value) or _YAML_1_1_BOOLEAN.fullmatch(event.value)
    )


@lru_cache(maxsize=10_000)
def is_plain_string(text: str) -> bool:
    """True if all parsers read ``text`` without quotes as a string."""
    plain = text[:1] + text[1:].replace("_", "")
    return not (
        text in ("", *_OTHER)
        or _NUMBER_LIKE.fullmatch(plain)
        or _DATE_LIKE.fullmatch(text)
        or _BOOLEAN_LIKE.fullmatch(text)
        or _YAML_1_1_BOOLEAN.fullmatch(text)
        or _NULL_LIKE.fullmatch(text)
    )


def _alternative(text: str) -> str:
    if _BOOLEAN_LIKE.fullmatch(text):
        return "true or false, or for a string "
    if _NULL_LIKE.fullmatch(text):
        return "null, or for a string "
    if _DATE_LIKE.fullmatch(text) or text in _OTHER:
        return ""
    return "a decimal number like 10 or 0.5, or for a string "


def _quoted(text: str) -> str:
    return f'"{text}" in quotes'
