"""Added, removed, changed and renamed objects between two renderings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, Literal

from commands.diff.fields import Field, differences
from commands.diff.manifests import Manifest, Manifests, ObjectReference
from settings.yaml_writer import to_yaml

Action = Literal["changed", "renamed", "removed", "added"]

RENAME_SIMILARITY = 0.75
"""Minimum fraction of equal lines in a removed and an added object that are shown as a rename."""
_ORDER: tuple[Action, ...] = ("changed", "renamed", "removed", "added")


@dataclass(frozen=True)
class Change:
    """Change of one object."""

    reference: ObjectReference
    old: Manifest | None
    new: Manifest | None
    renamed_from: ObjectReference | None = None

    @property
    def action(self) -> Action:
        """Kind of the change."""
        if self.renamed_from:
            return "renamed"
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @cached_property
    def fields(self) -> Sequence[Field]:
        """Changed fields of an object that both renderings have. Derived fields are last."""
        if self.old is None or self.new is None:
            return []
        return sorted(differences(self.old, self.new), key=lambda field: field.is_derived)


@dataclass(frozen=True)
class Comparison:
    """Changes between two renderings of a stack.

    ``changes`` are sorted by action, and then by the order in which the objects are applied.
    """

    changes: Sequence[Change]
    unchanged: int

    @classmethod
    def of(cls, base: Manifests, head: Manifests) -> "Comparison":
        """Compare two renderings."""
        removed = {key: base[key] for key in base if key not in head}
        added = {key: head[key] for key in head if key not in base}
        renames = dict(_renames(removed, added))
        changes = [
            Change(key, base.get(renames.get(key, key)), manifest, renames.get(key))
            for key, manifest in head.items()
            if base.get(key) != manifest
        ]
        changes += [
            Change(key, manifest, None)
            for key, manifest in removed.items()
            if key not in renames.values()
        ]
        changes.sort(key=lambda change: _ORDER.index(change.action))
        unchanged = sum(base.get(key) == manifest for key, manifest in head.items())
        return cls(changes, unchanged)

    def count(self, action: Action) -> int:
        """Number of objects with this kind of change."""
        return sum(change.action == action for change in self.changes)

    def as_data(self) -> list[dict[str, Any]]:
        """Changes for other programs. A rename is a removed and an added object."""
        data = []
        for change in self.changes:
            references = {change.action: change.reference}
            if change.renamed_from:
                references = {"removed": change.renamed_from, "added": change.reference}
            data += [
                {"action": action, **vars(reference)} for action, reference in references.items()
            ]
        return data


def _renames(
    removed: Manifests, added: Manifests
) -> Iterator[tuple[ObjectReference, ObjectReference]]:
    """Pairs of an added and a removed object of one kind, the most similar first."""
    old = {key: to_yaml(manifest).splitlines() for key, manifest in removed.items()}
    new = {key: to_yaml(manifest).splitlines() for key, manifest in added.items()}
    pairs = sorted(
        (
            (SequenceMatcher(None, old[was], new[now]).quick_ratio(), now, was)
            for now in new
            for was in old
            if (was.group, was.kind) == (now.group, now.kind)
        ),
        reverse=True,
    )
    paired: set[ObjectReference] = set()
    for similarity, now, was in pairs:
        if similarity >= RENAME_SIMILARITY and not {now, was} & paired:
            paired |= {now, was}
            yield now, was
