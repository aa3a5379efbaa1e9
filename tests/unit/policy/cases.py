"""Cases of the rules, from ``cases.yaml``: compliant and violating changes of a stack."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from policy.objects import Object

Manifest = dict[str, Any]
Changes = Mapping[str, Any]
"""New values by path."""

_HERE = Path(__file__).parent
_STACK = (_HERE / "stack.yaml").read_text()
_SHORTHANDS = {
    "pod": "Deployment spec template spec",
    "container": "Deployment spec template spec containers 0",
    "config": "ConfigMap data config.yaml",
}


@dataclass(frozen=True)
class Case:
    """Case of one rule."""

    rule: str
    violation: Changes
    message: str
    compliant: Changes = field(default_factory=dict)
    stack: str = "prod"

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


CASES = [Case(**case) for case in yaml.safe_load((_HERE / "cases.yaml").read_text())]


def manifests(changes: Changes | None = None) -> list[Manifest]:
    """Compliant manifests, changed."""
    found = [deepcopy(manifest) for manifest in yaml.safe_load(_STACK)]
    for path, value in (changes or {}).items():
        first, *rest = path.split(" ")
        kind, *keys = [*_SHORTHANDS.get(first, first).split(" "), *rest]
        manifest = find(found, kind)
        if keys:
            _set(manifest, keys, value)
        else:
            found.remove(manifest)
    return found


def find(manifests: list[Manifest], kind: str) -> Manifest:
    """The manifest of a kind."""
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def _set(manifest: Manifest, path: list[str], value: Any) -> None:
    *parents, last = (int(key) if key.isdigit() else key for key in path)
    parent: Any = manifest
    for key in parents:
        parent = parent[key] if isinstance(key, int) else parent.setdefault(key, {})
    if value is None:
        del parent[last]
    else:
        parent[last] = value


def objects(changes: Changes | None = None) -> list[Object]:
    """Compliant objects, changed."""
    return [Object(manifest, f"{manifest['kind']}.yaml") for manifest in manifests(changes)]
