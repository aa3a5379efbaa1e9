"""Two versions of one object, field by field."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT: Any = object()
"""The value of a field that one of the two versions does not have."""

_NAMES = ("name", "alert", "record", "mountPath", "host", "path", "topologyKey", "type", "port")
"""What tells the items of a list apart, the first that does."""
_SMALL = ("checksum/", "pulumi.com/")
"""Annotations that are derived from other fields, or that no cluster reads."""


class Item(str):
    """A step into a list, to the item of that name."""

    __slots__ = ()


Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Field:
    """One difference, as deep inside the object as it can be told."""

    path: Path
    old: Any = ABSENT
    new: Any = ABSENT

    @property
    def name(self) -> str:
        """The path as people write it: ``spec.containers[beacon].image``."""
        text = ""
        for step in self.path:
            if isinstance(step, int | Item):
                text += f"[{step}]"
            elif step.replace("-", "").replace("_", "").isalnum():
                text += f".{step}" if text else step
            else:
                text += f'["{step}"]'
        return text

    @property
    def is_small(self) -> bool:
        """Whether it says nothing that another field does not say better."""
        return "annotations" in self.path and str(self.path[-1]).startswith(_SMALL)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Field]:  # noqa: ANN401
    """Every difference. Items of lists are matched by name where they have one."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _in_lists(old, new, path)
    else:
        yield Field(path, old, new)


def _in_lists(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Field]:
    key = next((key for key in _NAMES if _tells_apart(old, key) and _tells_apart(new, key)), None)
    if key is None:
        yield from _in_sequence(old, new, path)
        return
    before = {Item(item[key]): item for item in old}
    after = {Item(item[key]): item for item in new}
    yield from differences(before, after, path)
    kept_before = [str(name) for name in before if name in after]
    kept_after = [str(name) for name in after if name in before]
    if kept_before != kept_after:
        yield Field((*path, Item("order")), ", ".join(kept_before), ", ".join(kept_after))


def _tells_apart(items: Sequence[Any], key: str) -> bool:
    names = [item.get(key) if isinstance(item, dict) else None for item in items]
    return all(isinstance(name, str | int) for name in names) and len(set(names)) == len(names)


def _in_sequence(old: Sequence[Any], new: Sequence[Any], path: Path) -> Iterator[Field]:
    matcher = difflib.SequenceMatcher(None, _texts(old), _texts(new), autojunk=False)
    for _, start, end, new_start, new_end in matcher.get_opcodes():
        for offset in range(max(end - start, new_end - new_start)):
            before = old[start + offset] if start + offset < end else ABSENT
            after = new[new_start + offset] if new_start + offset < new_end else ABSENT
            index = (new_start if before is ABSENT else start) + offset
            yield from differences(before, after, (*path, index))


def _texts(items: Sequence[Any]) -> list[str]:
    return [json.dumps(item, sort_keys=True) for item in items]


def leaves(content: Mapping[str, Any]) -> set[str]:
    """The values of an object with their paths: how much two objects have in common."""
    return {f"{'.'.join(map(str, path))}={value}" for path, value in _leaves(content, ())}


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _leaves(inner, (*path, index))
        case str() if "\n" in value:
            for line in value.splitlines():
                yield path, line
        case _:
            yield path, value
