"""Objects for tests of the comparison."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from commands.diff.comparison import Comparison
from commands.diff.objects import Content, identity_of, read
from commands.diff.rendering import Renderings
from commands.diff.report import Report

VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Ingress": "networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}


def sample(kind: str, name: str, spec: Any = None, **others: Any) -> Content:
    """An object in the namespace ``web``; a Namespace stands in none."""
    metadata = {"name": name, **({} if kind == "Namespace" else {"namespace": "web"})}
    version = VERSIONS.get(kind, "v1")
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, **others}


def compared(base: list[Content], head: list[Content]) -> Comparison:
    """The comparison of two lists of objects."""
    return reported(base, head).comparison


def reported(base: list[Content], head: list[Content]) -> Report:
    """The report on two lists of objects."""
    before = {identity_of(one): deepcopy(one) for one in base}
    after = {identity_of(one): deepcopy(one) for one in head}
    return Report.of(Renderings("test", before, after, "0123456789", False, False))


def written(folder: Path, *texts: str) -> dict[Any, Content]:
    """Manifests read from files."""
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    return dict(read(folder))


def text_of(content: Content) -> str:
    """A manifest as a file holds it."""
    return yaml.safe_dump(content)
