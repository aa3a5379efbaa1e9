"""A comparison as lines: what the terminal and the comment show alike."""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from commands.diff.comparison import Change, Comparison
from commands.diff.fields import ABSENT, Field
from commands.diff.rendering import Renderings

Kind = Literal["path", "change", "remove", "add", "context", "place", "small"]
_SHORT = 100
"""Longest change that is shown as ``path: old → new``."""
_CONTEXT = 2
"""Lines around a change in a text."""

SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}


@dataclass(frozen=True)
class Line:
    """One line about an object; ``kind`` says how it is shown."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Report:
    """What a person is told about two renderings."""

    renderings: Renderings
    comparison: Comparison

    @classmethod
    def of(cls, renderings: Renderings) -> "Report":
        """Compare the renderings."""
        return cls(renderings, Comparison.of(renderings.base, renderings.head))

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.renderings.stack

    @property
    def versions(self) -> str:
        """What is compared with what."""
        if self.renderings.is_new:
            return f"a new stack: {self.renderings.commit} has no Pulumi.{self.stack}.yaml"
        return f"from {self.renderings.commit} to the working tree"

    @property
    def notes(self) -> Sequence[str]:
        """What manifests alone cannot tell."""
        if self.renderings.is_rebuilt and not self.renderings.is_new:
            return ["app/ changed: the image is built anew, and its digest changes where it runs"]
        return []


def title(change: Change) -> str:
    """One line that names the object and its fate."""
    name = f"{SIGNS[change.action]} {change.identity}"
    if change.formerly:
        return f"{name} (renamed: {change.formerly} is deleted, this is created)"
    if change.action == "changed":
        number = len(change.fields)
        fields = "1 field" if number == 1 else f"{number} fields"
        return f"{name} ({fields}{', replaced' if change.replacing else ''})"
    return name


def details(change: Change) -> Iterator[Line]:
    """The lines below an object's title."""
    if change.old is None:
        yield from _block("add", change.new)
    elif change.new is None:
        yield from _block("remove", change.old)
    for field in change.fields:
        yield from _field(field)


def _field(field: Field) -> Iterator[Line]:
    if field.is_small:
        yield Line("small", f"{field.name} differs")
        return
    old, new = _readable(field.old), _readable(field.new)
    if "\n" in old + new:
        yield Line("path", f"{field.name}:")
        yield from _text(old, new)
    elif field.old is ABSENT:
        yield Line("add", f"{field.name}: {new}")
    elif field.new is ABSENT:
        yield Line("remove", f"{field.name}: {old}")
    elif len(field.name) + len(old) + len(new) <= _SHORT:
        yield Line("change", f"{field.name}: {old} → {new}")
    else:
        yield Line("path", f"{field.name}:")
        yield Line("remove", old)
        yield Line("add", new)


def _readable(value: Any) -> str:  # noqa: ANN401
    if value is ABSENT:
        return ""
    if isinstance(value, str):
        return _unfolded(value)
    if isinstance(value, dict | list) and value:
        return yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False).rstrip()
    return json.dumps(value)


def _unfolded(text: str) -> str:
    """JSON on one line, as dashboards are kept, on many."""
    if len(text) <= _SHORT or "\n" in text or text[0] not in "[{":
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        return text


def _text(old: str, new: str) -> Iterator[Line]:
    kinds: dict[str, Kind] = {"-": "remove", "+": "add", "@": "place"}
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=_CONTEXT, lineterm="")
    for line in list(lines)[2:]:
        kind = kinds.get(line[0], "context")
        yield Line(kind, line if kind == "place" else line[1:])


def _block(kind: Kind, content: Any) -> Iterator[Line]:  # noqa: ANN401
    for line in yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False).splitlines():
        yield Line(kind, line)
