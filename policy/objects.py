"""Kubernetes objects as the rules read them: manifests, wherever they come from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Manifest = Mapping[str, Any]

UNKNOWN = "<not known before the update>"
"""Stands for what a preview cannot know, like the digest of an image that is not built yet."""

PROVIDER = "Provider"
"""Kind of the stand-in for a Kubernetes provider: its ``spec`` holds the provider's inputs."""

_PODS_OF = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"),
        ("spec", "template", "spec"),
    ),
}


def at(value: Any, *path: str) -> Any:  # noqa: ANN401  # a manifest holds any JSON value
    """What is at a path of nested mappings; None where it ends early."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mapping(value: Any, *path: str) -> Manifest:  # noqa: ANN401
    """The mapping at a path; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: Any, *path: str) -> Sequence[Any]:  # noqa: ANN401
    """The list at a path; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list | tuple) else []


@dataclass(frozen=True)
class Container:
    """One container of a pod. ``is_init``: it ends before the others start."""

    spec: Manifest
    is_init: bool

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.spec.get("name", "?"))


@dataclass(frozen=True)
class Pod:
    """A pod, or the template that pods are made from."""

    spec: Manifest
    labels: Mapping[str, str]

    @property
    def containers(self) -> Iterator[Container]:
        """Init containers first. A sidecar, which restarts always, is no init container here."""
        for spec in items(self.spec, "initContainers"):
            yield Container(spec, spec.get("restartPolicy") != "Always")
        for spec in items(self.spec, "containers"):
            yield Container(spec, False)

    @property
    def ends(self) -> bool:
        """Whether its containers are meant to end: nobody waits for its readiness."""
        return self.spec.get("restartPolicy") in ("Never", "OnFailure")


@dataclass(frozen=True)
class Object:
    """One object. ``id`` is how its source names it: an URN, or a file."""

    manifest: Manifest
    id: str = ""

    @property
    def kind(self) -> str:
        """``Deployment``, …"""
        return str(self.manifest.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return str(at(self.manifest, "metadata", "name") or "")

    @property
    def namespace(self) -> str:
        """Its namespace; empty where it has none."""
        return str(at(self.manifest, "metadata", "namespace") or "")

    @property
    def title(self) -> str:
        """How messages and exemptions name it: ``Deployment/beacon-stable``."""
        return f"{self.kind}/{self.name}"

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return mapping(self.manifest, "metadata", "labels")

    @property
    def spec(self) -> Manifest:
        """Its specification."""
        return mapping(self.manifest, "spec")

    @cached_property
    def pod(self) -> Pod | None:
        """The pod that it is or makes."""
        path = _PODS_OF.get(self.kind)
        if path is None:
            return None
        owner = at(self.manifest, *path[:-1])
        return Pod(mapping(self.manifest, *path), mapping(owner, "metadata", "labels"))


def selects(selector: Any, labels: Mapping[str, str]) -> bool:  # noqa: ANN401
    """Whether a label selector finds what has these labels. An empty one finds everything."""
    if not isinstance(selector, Mapping):
        return False
    wanted = mapping(selector, "matchLabels")
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(one, labels) for one in items(selector, "matchExpressions"))


def _meets(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), items(expression, "values")
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
