"""Kubernetes objects as the rules read them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Manifest = Mapping[str, Any]

UNKNOWN = "<unknown until the update>"
"""Value of a property that a preview cannot compute, like the digest of an unbuilt image."""

PROVIDER = "Provider"
"""Kind under which a Kubernetes provider is validated; its inputs are the ``spec``."""

_POD_SPECS = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"),
        ("spec", "template", "spec"),
    ),
}

_KNATIVE_KINDS = ("Service", "Configuration")
"""Kinds of Knative Serving with a pod template."""


def get(value: Any, *path: str) -> Any:  # noqa: ANN401  # a manifest holds any JSON value
    """Value at a path of nested mappings; None if any step is missing."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def get_mapping(value: Any, *path: str) -> Manifest:  # noqa: ANN401
    """Mapping at a path; empty if it is missing."""
    found = get(value, *path)
    return found if isinstance(found, Mapping) else {}


def get_list(value: Any, *path: str) -> Sequence[Any]:  # noqa: ANN401
    """List at a path; empty if it is missing."""
    found = get(value, *path)
    return found if isinstance(found, list | tuple) else []


@dataclass(frozen=True)
class Container:
    """Container of a pod."""

    spec: Manifest
    is_init: bool
    """True if it runs to completion before the pod's other containers start."""

    @property
    def name(self) -> str:
        """Name of the container."""
        return str(self.spec.get("name", "?"))


@dataclass(frozen=True)
class Pod:
    """Pod or pod template."""

    spec: Manifest
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def containers(self) -> Iterator[Container]:
        """Containers of the pod. ``is_init`` is False for sidecars (``restartPolicy: Always``)."""
        for spec in get_list(self.spec, "initContainers"):
            yield Container(spec, spec.get("restartPolicy") != "Always")
        for spec in get_list(self.spec, "containers"):
            yield Container(spec, False)

    @property
    def runs_to_completion(self) -> bool:
        """True for the pods of Jobs, which need no probes."""
        return self.spec.get("restartPolicy") in ("Never", "OnFailure")


@dataclass(frozen=True)
class Object:
    """Kubernetes object."""

    manifest: Manifest
    source: str = ""
    """URN or file that declares it."""

    def __str__(self) -> str:
        """Kind and name, like ``Deployment/beacon-stable``."""
        return f"{self.kind}/{self.name}"

    @property
    def kind(self) -> str:
        """Kind of the object."""
        return str(self.manifest.get("kind", ""))

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(get(self.manifest, "metadata", "name") or "")

    @property
    def namespace(self) -> str:
        """Namespace of the object; empty for a cluster-scoped one."""
        return str(get(self.manifest, "metadata", "namespace") or "")

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the object."""
        return get_mapping(self.manifest, "metadata", "labels")

    @property
    def spec(self) -> Manifest:
        """Spec of the object."""
        return get_mapping(self.manifest, "spec")

    @cached_property
    def pod(self) -> Pod | None:
        """Pod or pod template of the object, if its kind has one."""
        is_knative = str(self.manifest.get("apiVersion")).startswith("serving.knative.dev/")
        has_pods = is_knative and self.kind in _KNATIVE_KINDS
        path = _POD_SPECS["Deployment"] if has_pods else _POD_SPECS.get(self.kind)
        if path is None:
            return None
        template = get(self.manifest, *path[:-1])
        return Pod(
            get_mapping(template, "spec"),
            get_mapping(template, "metadata", "labels"),
            get_mapping(template, "metadata", "annotations"),
        )

    @property
    def containers(self) -> Iterator[Container]:
        """Containers of the object's pods."""
        yield from self.pod.containers if self.pod else ()


def selector_matches(selector: Any, labels: Mapping[str, str]) -> bool:  # noqa: ANN401
    """Return True if a label selector matches the labels. An empty selector matches everything."""
    if not isinstance(selector, Mapping):
        return False
    match_labels = get_mapping(selector, "matchLabels")
    return match_labels.items() <= labels.items() and all(
        _expression_matches(one, labels) for one in get_list(selector, "matchExpressions")
    )


def _expression_matches(expression: Manifest, labels: Mapping[str, str]) -> bool:
    key, values = str(expression.get("key")), get_list(expression, "values")
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
