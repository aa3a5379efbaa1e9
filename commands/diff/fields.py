"""Differences between two versions of an object, field by field."""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MISSING: Any = object()
"""Value of a field that a version does not have."""

_LIST_KEYS = ("name", "alert", "record", "mountPath", "host", "path", "topologyKey", "type", "port")
"""Fields that identify the items of a list; the first one that is unique in the list is used."""
_DERIVED = ("checksum/", "pulumi.com/")
"""Prefixes of annotations that follow from other fields, or that only Pulumi reads."""


class ListKey(str):
    """Step of a path to the list item with this key."""

    __slots__ = ()


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Field:
    """Changed field."""

    path: Path
    old: Any = MISSING
    new: Any = MISSING

    @property
    def name(self) -> str:
        """Path as text, like ``spec.containers[shop].image``."""
        text = ""
        for step in self.path:
            if isinstance(step, int | ListKey):
                text += f"[{step}]"
            elif step.replace("-", "").replace("_", "").isalnum():
                text += f".{step}" if text else step
            else:
                text += f'["{step}"]'
        return text

    @property
    def is_derived(self) -> bool:
        """True if another field shows the same change better."""
        return "annotations" in self.path and str(self.path[-1]).startswith(_DERIVED)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Field]:  # noqa: ANN401
    """Changed fields. List items are matched by key; without a key, in their order."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differences(old.get(key, MISSING), new.get(key, MISSING), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        key = next((key for key in _LIST_KEYS if _is_unique(key, old) and _is_unique(key, new)), "")
        yield from _by_key(old, new, path, key) if key else _in_order(old, new, path)
    else:
        yield Field(path, old, new)


def _is_unique(key: str, items: Sequence[Any]) -> bool:
    values = [item.get(key) if isinstance(item, dict) else None for item in items]
    return all(isinstance(value, str | int) for value in values) and len({*values}) == len(values)


def _by_key(old: Sequence[Any], new: Sequence[Any], path: Path, key: str) -> Iterator[Field]:
    old_items = {ListKey(item[key]): item for item in old}
    new_items = {ListKey(item[key]): item for item in new}
    yield from differences(old_items, new_items, path)
    old_order = ", ".join(item for item in old_items if item in new_items)
    new_order = ", ".join(item for item in new_items if item in old_items)
    if old_order != new_order:
        yield Field((*path, ListKey("order")), old_order, new_order)


def _in_order(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Field]:
    old_texts, new_texts = (
        [json.dumps(item, sort_keys=True) for item in items] for items in (old, new)
    )
    matcher = difflib.SequenceMatcher(None, old_texts, new_texts, autojunk=False)
    for _, start, end, new_start, new_end in matcher.get_opcodes():
        for offset in range(max(end - start, new_end - new_start)):
            old_item = old[start + offset] if start + offset < end else MISSING
            new_item = new[new_start + offset] if new_start + offset < new_end else MISSING
            index = (new_start if old_item is MISSING else start) + offset
            yield from differences(old_item, new_item, (*path, index))
