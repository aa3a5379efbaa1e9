"""Rendered manifests, without the values of Secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HIDDEN = "(hidden)"
"""Shown instead of each value of a Secret."""

_OMITTED_KEYS = re.compile(r"# [^:]*: (.*)")
"""Comment in the first line of a rendered Secret."""

Manifest = dict[str, Any]


@dataclass(frozen=True, order=True)
class ObjectReference:
    """Identity of an object. The versions of an API group refer to the same object."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> "ObjectReference":
        """Reference to the object of a manifest."""
        metadata = manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        return cls(group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        namespace = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {namespace}{self.name}"


Manifests = Mapping[ObjectReference, Manifest]


def read(folder: Path) -> Manifests:
    """Read the manifests of a folder, in the order of the file names."""
    manifests: dict[ObjectReference, Manifest] = {}
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text()
        for manifest in yaml.load_all(text, Loader=yaml.CSafeLoader):
            manifests[ObjectReference.of(manifest)] = _hide_secrets(manifest, text)
    return manifests


def _hide_secrets(manifest: Manifest, text: str) -> Manifest:
    if manifest["kind"] != "Secret":
        return manifest
    keys = {*manifest.get("data", {}), *manifest.get("stringData", {})}
    if omitted := _OMITTED_KEYS.match(text):
        keys |= set(omitted[1].split(", "))
    others = {name: value for name, value in manifest.items() if name != "data"}
    return {**others, "stringData": dict.fromkeys(sorted(keys), HIDDEN)}
