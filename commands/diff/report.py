"""Report of a comparison: the parts that the terminal and the Markdown format share."""

import difflib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from commands.control_characters import escape_control_characters
from commands.diff.comparison import Action, Change, Comparison
from commands.diff.fields import MISSING, Field
from commands.diff.rendering import Renderings
from commands.diff.risks import replacing_fields, risks
from settings.yaml_writer import to_yaml

MAX_LINE = 100
"""Length up to which a change is shown on one line, as ``path: old → new``."""
CONTEXT_LINES = 2
"""Unchanged lines before and after a change in a text."""
SIGNS: dict[Action, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}

Sign = Literal["+", "-", "!", "@@", "#", " "]


class Line(NamedTuple):
    """Line of the details of a change.

    The sign is that of GitHub's ``diff`` blocks: added, removed, changed, hunk, derived, context.
    """

    sign: Sign
    text: str


class Report:
    """Report of the changes between two renderings."""

    def __init__(self, renderings: Renderings) -> None:
        self.stack = renderings.stack
        self.comparison = Comparison.of(renderings.base, renderings.head)
        self._renderings = renderings

    @property
    def totals(self) -> str:
        """Number of objects by action, on one line."""
        changes, unchanged = self.comparison.changes, self.comparison.unchanged
        if not changes:
            return f"no object changes, {unchanged} unchanged"
        parts = [
            f"{count} {action}" for action in SIGNS if (count := self.comparison.count(action))
        ]
        if replaced := sum(bool(replacing_fields(change)) for change in changes):
            parts.append(f"{replaced} of them replaced")
        return f"{', '.join(parts)}; {unchanged} unchanged"

    @property
    def revisions(self) -> str:
        """Revisions that are compared."""
        commit = self._renderings.commit
        if self._renderings.is_new:
            return f"a new stack: {commit} has no Pulumi.{self.stack}.yaml"
        return f"from {commit} to the working tree"

    @property
    def notes(self) -> Sequence[str]:
        """Changes that the manifests do not show."""
        if self._renderings.is_new:
            return []
        return [
            f"{source}/ changed: its image is built again, and gets another digest"
            for source in self._renderings.changed_sources
        ]

    @cached_property
    def warnings(self) -> Sequence[str]:
        """Risky changes."""
        return [
            escape_control_characters(risk)
            for change in self.comparison.changes
            for risk in risks(change)
        ]


def title(change: Change) -> str:
    """Object and action, on one line."""
    return escape_control_characters(_title(change))


def _title(change: Change) -> str:
    name = f"{SIGNS[change.action]} {change.reference}"
    if change.renamed_from:
        return f"{name} (renamed: {change.renamed_from} is deleted, and this is created)"
    if change.action == "changed":
        count = len(change.fields)
        replaced = ", replaced" if replacing_fields(change) else ""
        return f"{name} ({count} {'field' if count == 1 else 'fields'}{replaced})"
    return name


def details(change: Change) -> Iterator[Line]:
    """Lines below the title: the changed fields, or the whole object."""
    for line in _details(change):
        yield Line(line.sign, escape_control_characters(line.text))


def _details(change: Change) -> Iterator[Line]:
    if change.old is None:
        yield from (Line("+", line) for line in _text(change.new).splitlines())
    elif change.new is None:
        yield from (Line("-", line) for line in _text(change.old).splitlines())
    for field in change.fields:
        yield from _field(field)


def _field(field: Field) -> Iterator[Line]:
    old, new = _text(field.old), _text(field.new)
    if field.is_derived:
        yield Line("#", f"{field.name} differs")
    elif "\n" in old + new:
        yield Line(" ", f"{field.name}:")
        yield from _unified_diff(old, new)
    elif field.old is MISSING:
        yield Line("+", f"{field.name}: {new}")
    elif field.new is MISSING:
        yield Line("-", f"{field.name}: {old}")
    elif len(field.name) + len(old) + len(new) <= MAX_LINE:
        yield Line("!", f"{field.name}: {old} → {new}")
    else:
        yield Line(" ", f"{field.name}:")
        yield Line("-", old)
        yield Line("+", new)


def _text(value: Any) -> str:  # noqa: ANN401
    if value is MISSING:
        return ""
    if isinstance(value, str):
        return _expand_json(value)
    if isinstance(value, dict | list) and value:
        return to_yaml(value, sort_keys=False).rstrip()
    return json.dumps(value)


def _expand_json(text: str) -> str:
    """Indent JSON that is on one line, such as a dashboard."""
    if len(text) <= MAX_LINE or "\n" in text or text[0] not in "[{":
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except json.JSONDecodeError:
        return text


def _unified_diff(old: str, new: str) -> Iterator[Line]:
    signs: dict[str, Sign] = {"-": "-", "+": "+", " ": " "}
    lines = [
        *difflib.unified_diff(old.splitlines(), new.splitlines(), n=CONTEXT_LINES, lineterm="")
    ]
    for line in lines[2:]:  # without the names of files
        if line.startswith("@@"):
            yield Line("@@", line.removeprefix("@@ "))
        else:
            yield Line(signs[line[0]], line[1:])
