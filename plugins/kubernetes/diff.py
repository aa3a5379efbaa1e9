"""What changed between two versions of an object, and whether the object can follow."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from plugins.kubernetes.cluster import ApiError, Object
from plugins.kubernetes.groups import is_own

Path = tuple[str | int, ...]

_Kind = provider_pb2.PropertyDiff.Kind
ADD: Final = provider_pb2.PropertyDiff.ADD
DELETE: Final = provider_pb2.PropertyDiff.DELETE
UPDATE: Final = provider_pb2.PropertyDiff.UPDATE
_REPLACING: Final = {
    ADD: provider_pb2.PropertyDiff.ADD_REPLACE,
    DELETE: provider_pb2.PropertyDiff.DELETE_REPLACE,
    UPDATE: provider_pb2.PropertyDiff.UPDATE_REPLACE,
}

_HOLDERS: Final = {
    "CustomResourceDefinition",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "StatefulSet",
}
_IDENTITY: Final[tuple[Path, ...]] = (("metadata", "name"), ("metadata", "namespace"))
# Pulumi's own plugin replaces an object when one of these fields changes. The API server refuses
# the change of nearly all of them, but it cannot be asked while a value is unknown.
_FORCE_NEW: Final = {
    "apps/v1/DaemonSet": "spec.selector",
    "apps/v1/Deployment": "spec.selector",
    "apps/v1/StatefulSet": (
        "spec.podManagementPolicy spec.revisionHistoryLimit spec.selector spec.serviceName"
        " spec.volumeClaimTemplates"
    ),
    "batch/v1/Job": "spec.completions spec.parallelism spec.selector spec.template",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "roleRef",
    "rbac.authorization.k8s.io/v1/RoleBinding": "roleRef",
    "storage.k8s.io/v1/StorageClass": "parameters provisioner",
    "v1/PersistentVolumeClaim": (
        "spec.accessModes spec.selector spec.storageClassName spec.volumeName"
    ),
    "v1/Pod": "spec.containers spec.initContainers",
    "v1/ResourceQuota": "spec.scopes",
    "v1/Secret": "type",
    "v1/Service": "spec.clusterIP",
}


def changes(old: Object, new: Object, ignored: list[Path]) -> dict[Path, int]:
    """The path and the kind of each difference, as deep inside as it can be told."""
    return {
        path: kind
        for path, kind in _changes(old, new, ())
        if not any(path[: len(base)] == base for base in ignored)
    }


def force_new(obj: Object, *, data_is_mutable: bool) -> list[Path]:
    """The fields of a kind that only a new object can have changed.

    `data_is_mutable` is about the data of ConfigMaps and Secrets.
    """
    listed = _FORCE_NEW.get(f"{obj.get('apiVersion')}/{obj.get('kind')}", "")
    if obj.get("kind") in ("ConfigMap", "Secret") and (
        not data_is_mutable or obj.get("immutable") is True
    ):
        listed += " data binaryData"
    return [*_IDENTITY, *(tuple(field.split(".")) for field in listed.split())]


def refused(problem: ApiError, obj: Object, changed: Mapping[Path, int]) -> list[Path]:
    """Which of the changes take a new object, because the API server calls the fields immutable.

    None of an object whose deletion deletes more than itself, nor of a custom resource, of which
    that is not known: there the refusal is an error.
    """
    if obj.get("kind") in _HOLDERS or not is_own(obj.get("apiVersion", "")):
        return []
    fixed = [parse_path(field) for field in problem.immutable_fields()]
    return [path for path in changed if covered(path, fixed)]


def is_identity(path: Path) -> bool:
    """Whether a change at `path` means another object."""
    return covered(path, [*_IDENTITY])


def covered(path: Path, fields: list[Path]) -> bool:
    """Whether a change at `path` is a change of one of the fields."""
    return any(_overlap(path, field) for field in fields)


def detailed(
    changed: Mapping[Path, int], replacing: list[Path]
) -> dict[str, provider_pb2.PropertyDiff]:
    """The differences in the form in which the engine shows them."""
    return {
        format_path(path): provider_pb2.PropertyDiff(
            kind=_REPLACING[kind] if path in replacing else kind,  # type: ignore[arg-type, index]
            # What is gone can only be shown from the inputs.
            inputDiff=kind == DELETE,
        )
        for path, kind in changed.items()
    }


def format_path(path: Path) -> str:
    """A path as the engine writes it: `spec.ports[0].port`, `metadata.labels["a.b/c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.search(r'[."\[\]]', step):
            text += '["' + step.replace('"', '\\"') + '"]'
        else:
            text += f".{step}" if text else step
    return text


def parse_path(text: str) -> Path:
    """The path that the engine or the API server has written."""
    steps = re.finditer(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[(\*|[^\]]+)\]|([^.\[\]]+)', text)
    return tuple(
        int(step[2]) if step[2] else (step[1] or step[3] or step[4]).replace('\\"', '"')
        for step in steps
    )


def _changes(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _change(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (side[index] if index < len(side) else None for side in (old, new))
            yield from _change(before, after, (*path, index))
    elif old != new:
        yield path, UPDATE


def _change(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if old is None and new is not None:
        yield path, ADD
    elif old is not None and new is None:
        yield path, DELETE
    else:
        yield from _changes(old, new, path)


def _overlap(path: Path, field: Path) -> bool:
    shorter = min(len(path), len(field))
    return path[:shorter] == field[:shorter]
