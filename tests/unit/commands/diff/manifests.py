"""Manifests for tests of the comparison."""

from copy import deepcopy
from typing import Any

from commands.diff.manifests import Manifest, ObjectReference
from commands.diff.rendering import Renderings
from commands.diff.report import Report

API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Ingress": "networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
}


def manifest(kind: str, name: str, spec: Any = None, **fields: Any) -> Manifest:
    """A manifest in the namespace ``web``."""
    metadata = {"name": name, **({} if kind == "Namespace" else {"namespace": "web"})}
    version = API_VERSIONS.get(kind, "v1")
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, **fields}


def report(base: list[Manifest], head: list[Manifest]) -> Report:
    """The report on the changes between two lists of manifests."""
    before, after = (
        {ObjectReference.of(one): deepcopy(one) for one in manifests} for manifests in (base, head)
    )
    return Report(Renderings("test", before, after, "0123456789", False, ()))
