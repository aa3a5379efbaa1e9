"""Risky changes: deletions, replacements, changed selectors and immutable fields."""

from collections.abc import Iterator, Sequence

from commands.diff.comparison import Change
from commands.diff.fields import Field, Path

_DELETION_RISKS = {
    "Gateway": "routing",
    "HTTPRoute": "routing",
    "Ingress": "routing",
    "Service": "routing",
    "VirtualService": "routing",
    "PeerAuthentication": "connections without mutual TLS are accepted",
    "AuthorizationPolicy": "all callers in the mesh are accepted",
    "Namespace": "all its objects are deleted too",
    "PersistentVolumeClaim": "its data may be deleted too",
    "Secret": "pods that mount it cannot start",
    "StatefulSet": "state",
}
_REPLACING_FIELDS = {
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
"""Fields whose change makes Pulumi's Kubernetes provider replace the object."""
_MUTABLE_STATEFUL_SET_FIELDS = (
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "template",
    "updateStrategy",
)
"""The API server rejects a change of any other field of the spec."""


def risks(change: Change) -> Iterator[str]:
    """Risks of a change, as messages."""
    reference = change.reference
    if change.renamed_from and reference.kind == "Namespace":
        yield (
            f"moves all objects from {change.renamed_from} to {reference}: requests are routed to "
            "the new namespace before the old one is deleted with its volumes"
        )
        return
    if change.renamed_from:
        yield f"deletes {change.renamed_from} and creates {reference}: Kubernetes cannot rename it"
        return
    if change.new is None and (risk := _DELETION_RISKS.get(reference.kind)):
        yield f"deletes {reference} ({risk})"
    replacing = replacing_fields(change)
    others = [field for field in change.fields if field not in replacing]
    if replacing:
        yield f"replaces {reference}: {_names(replacing)} cannot be changed in place"
    if immutable := [field for field in others if _is_immutable(change, field)]:
        yield f"cannot change {reference}: the API server rejects a change of {_names(immutable)}"
    if selectors := [field for field in others if _is_selector(field)]:
        yield f"selects other pods: {reference}, {_names(selectors)}"


def replacing_fields(change: Change) -> Sequence[Field]:
    """Changed fields that make Pulumi replace the object."""
    if change.action != "changed" or change.old is None:
        return []
    kind = change.old["kind"]
    fields = _REPLACING_FIELDS.get(f"{change.old['apiVersion']}/{kind}", "").split()
    # The program's provider allows changes of data, unless the object itself forbids them.
    if kind in ("ConfigMap", "Secret") and change.old.get("immutable") is True:
        fields += ["data", "binaryData"]
    paths = [field.split(".") for field in fields]
    return [field for field in change.fields if any(_overlap(field.path, path) for path in paths)]


def _overlap(path: Path, other: Sequence[str]) -> bool:
    return all(step == other_step for step, other_step in zip(path, other, strict=False))


def _is_immutable(change: Change, field: Field) -> bool:
    return (
        change.reference.kind == "StatefulSet"
        and field.path[0] == "spec"
        and field.path[1] not in _MUTABLE_STATEFUL_SET_FIELDS
    )


def _is_selector(field: Field) -> bool:
    return any(
        isinstance(step, str) and step.lower().endswith("selector") and step != "nodeSelector"
        for step in field.path
    )


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name for field in fields)
