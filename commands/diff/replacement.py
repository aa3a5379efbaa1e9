"""Fields whose change makes Pulumi's Kubernetes provider replace an object."""

from collections.abc import Sequence

from commands.diff.fields import Path
from commands.diff.objects import Content

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


def replaces(path: Path, content: Content) -> bool:
    """Return True if a change of the field at `path` replaces the object with this content."""
    kind = content["kind"]
    fields = _REPLACING_FIELDS.get(f"{content['apiVersion']}/{kind}", "").split()
    # The program's provider allows changes of data, unless the object itself forbids them.
    if kind in ("ConfigMap", "Secret") and content.get("immutable") is True:
        fields += ["data", "binaryData"]
    return any(_overlaps(path, field.split(".")) for field in fields)


def _overlaps(path: Path, field: Sequence[str]) -> bool:
    return all(step == other for step, other in zip(path, field, strict=False))
