"""Rendered objects: who they are, and what of them may be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HIDDEN = "(hidden)"
"""What stands for every value of a Secret."""

_LEFT_OUT = re.compile(r"# The values are left out, of: (.*)")

Content = dict[str, Any]


@dataclass(frozen=True, order=True)
class Identity:
    """What makes two manifests the same object. Versions of one API group share their objects."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


Objects = Mapping[Identity, Content]


def read(folder: Path) -> Objects:
    """The objects in a folder of manifests, in the order of their files."""
    found: dict[Identity, Content] = {}
    for file in sorted(folder.glob("*.yaml")):
        text = file.read_text()
        for content in yaml.load_all(text, Loader=yaml.CSafeLoader):
            found[identity_of(content)] = _without_secrets(content, text)
    return found


def identity_of(content: Content) -> Identity:
    """Who the object of a manifest is."""
    metadata = content["metadata"]
    group = content["apiVersion"].rpartition("/")[0]
    return Identity(group, content["kind"], metadata.get("namespace", ""), metadata["name"])


def _without_secrets(content: Content, text: str) -> Content:
    if content["kind"] != "Secret":
        return content
    keys = {*content.get("data", {}), *content.get("stringData", {})}
    if listed := _LEFT_OUT.match(text):
        keys |= set(listed[1].split(", "))
    shown = {name: value for name, value in content.items() if name != "data"}
    return {**shown, "stringData": dict.fromkeys(sorted(keys), HIDDEN)}
