"""What becomes of each object between two renderings, and what of it is dangerous."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from commands.diff.fields import Field, differences, leaves
from commands.diff.objects import Content, Identity, Objects
from commands.diff.replacement import replaces

Action = Literal["added", "removed", "changed", "renamed"]

ALIKE = 0.6
"""Share of the values that a deleted and a created object have in common if it is a rename."""

_PRECIOUS = {
    "Gateway": "routing",
    "HTTPRoute": "routing",
    "Ingress": "routing",
    "Service": "routing",
    "Namespace": "everything in it goes too",
    "PersistentVolumeClaim": "its data goes too",
    "Secret": "what mounts it cannot start",
    "StatefulSet": "state",
}
"""Kinds whose deletion is called out, and why."""
_STATEFUL_SET_CAN_CHANGE = (
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "template",
    "updateStrategy",
)
"""Below ``spec``; the API server refuses a change of anything else."""


@dataclass(frozen=True)
class Change:
    """One object that is not the same in both renderings."""

    identity: Identity
    old: Content | None
    new: Content | None
    formerly: Identity | None = None
    """Who it was before a rename, which is a deletion and a creation."""

    @property
    def action(self) -> Action:
        """What happens to the object."""
        if self.formerly:
            return "renamed"
        if self.old is None:
            return "added"
        return "changed" if self.new is not None else "removed"

    @cached_property
    def fields(self) -> Sequence[Field]:
        """What differs, where both renderings have the object. What is small comes last."""
        if self.old is None or self.new is None:
            return []
        return sorted(differences(self.old, self.new), key=lambda field: field.is_small)

    @property
    def replacing(self) -> Sequence[Field]:
        """The fields that only a new object can have changed."""
        if self.action != "changed" or self.old is None:
            return []
        old = self.old
        return [field for field in self.fields if replaces(field.path, old)]

    def warnings(self) -> Iterator[str]:
        """What a reviewer has to see before anything else."""
        if self.formerly:
            yield f"deletes {self.formerly} and creates {self.identity}: a rename is not a move"
        elif self.new is None and (why := _PRECIOUS.get(self.identity.kind)):
            yield f"deletes {self.identity} ({why})"
        replacing = self.replacing
        if replacing:
            yield f"replaces {self.identity}: {_names(replacing)} cannot be changed in place"
        refused = [field for field in self.fields if self._is_refused(field, replacing)]
        if refused:
            yield f"cannot change {self.identity}: the API server refuses {_names(refused)}"
        selectors = [field for field in self.fields if _selects(field) and field not in replacing]
        if selectors and not self.formerly:
            yield f"selects other pods: {self.identity}, {_names(selectors)}"

    def _is_refused(self, field: Field, replacing: Sequence[Field]) -> bool:
        return (
            self.identity.kind == "StatefulSet"
            and not self.formerly
            and field not in replacing
            and field.path[0] == "spec"
            and field.path[1] not in _STATEFUL_SET_CAN_CHANGE
        )


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name for field in fields)


def _selects(field: Field) -> bool:
    return any(
        isinstance(step, str) and step.lower().endswith("selector") and step != "nodeSelector"
        for step in field.path
    )


@dataclass(frozen=True)
class Comparison:
    """Two renderings of one stack.

    ``changes`` begin with what runs already and end with what is new; of each kind, in the order in
    which objects are applied.
    """

    changes: Sequence[Change]
    unchanged: int

    @classmethod
    def of(cls, base: Objects, head: Objects) -> "Comparison":
        """Compare object by object."""
        removed = {key: base[key] for key in base if key not in head}
        added = {key: head[key] for key in head if key not in base}
        renames = dict(_renames(removed, added))
        changes = [
            Change(key, base.get(renames.get(key, key)), content, renames.get(key))
            for key, content in head.items()
            if base.get(key) != content
        ]
        gone = set(removed) - set(renames.values())
        changes += [Change(key, base[key], None) for key in base if key in gone]
        changed = sum(change.action == "changed" for change in changes)
        changes.sort(key=lambda change: _SHOWN.index(change.action))
        return cls(changes, len(base.keys() & head.keys()) - changed)

    def count(self, action: Action) -> int:
        """How many objects have this fate."""
        return sum(change.action == action for change in self.changes)

    @property
    def totals(self) -> str:
        """Every count in one line."""
        if not self.changes:
            return f"no object changes, {self.unchanged} stay as they are"
        parts = [f"{n} {action}" for action in _ACTIONS if (n := self.count(action))]
        if replaced := sum(bool(change.replacing) for change in self.changes):
            parts.append(f"{replaced} of them replaced")
        return f"{', '.join(parts)}; {self.unchanged} unchanged"

    @property
    def warnings(self) -> Sequence[str]:
        """What a reviewer has to see before anything else."""
        return [warning for change in self.changes for warning in change.warnings()]

    def listed(self) -> list[dict[str, Any]]:
        """The changes as data for programs."""
        return [
            {"action": action, **_as_data(identity)}
            for change in self.changes
            for action, identity in _fates(change)
        ]


_ACTIONS: tuple[Action, ...] = ("added", "removed", "changed", "renamed")
_SHOWN: tuple[Action, ...] = ("changed", "renamed", "removed", "added")


def _fates(change: Change) -> Iterator[tuple[Action, Identity]]:
    if change.formerly:
        yield "removed", change.formerly
        yield "added", change.identity
    else:
        yield change.action, change.identity


def _as_data(identity: Identity) -> dict[str, str]:
    return {
        "group": identity.group,
        "kind": identity.kind,
        "namespace": identity.namespace,
        "name": identity.name,
    }


def _renames(removed: Objects, added: Objects) -> Iterator[tuple[Identity, Identity]]:
    """Pairs of a created and a deleted object of one kind that are alike, the best first."""
    old = {key: leaves(content) for key, content in removed.items()}
    new = {key: leaves(content) for key, content in added.items()}
    pairs = sorted(
        (
            (_likeness(old[was], new[now]), now, was)
            for now in new
            for was in old
            if _fits(was, now)
        ),
        reverse=True,
    )
    taken: set[Identity] = set()
    for likeness, now, was in pairs:
        if likeness >= ALIKE and not {now, was} & taken:
            taken |= {now, was}
            yield now, was


def _fits(was: Identity, now: Identity) -> bool:
    return (was.group, was.kind) == (now.group, now.kind)


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(len(one | other), 1)
