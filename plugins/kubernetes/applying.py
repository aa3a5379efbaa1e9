"""Creating, updating and deleting one object: what is sent to the API server, and when."""

import threading
from collections.abc import Iterable

from plugins.kubernetes.cluster import ApiError, Cluster, Kind, Object, UnknownKindError
from plugins.kubernetes.diff import Path
from plugins.kubernetes.ownership import has_predecessor, is_others, taken_over
from plugins.kubernetes.state import annotation, in_namespace, name_of, namespace_of
from plugins.kubernetes.waiting import Report
from plugins.server import PluginError

_PROPAGATION = {"orphan": "Orphan", "background": "Background", "foreground": "Foreground"}
# Kinds that own no pods: with them there is no use in waiting for the garbage collector, as
# deleting in the foreground does.
_LEAVES = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "LimitRange",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
}
_LEFT = {
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "batch/v1/Job",
    "v1/Namespace",
    "v1/Pod",
    "v1/ReplicationController",
}
"""Kinds whose deletion is not waited for with `skipAwait` either, as Pulumi's own plugin has it."""
_PAUSES = (0.25, 0.5, 1, 2, 4, 4, 4, 4, 4, 4)
"""Seconds between attempts to create an object while its namespace or its CRD is being made."""
_FORBIDDEN, _NOT_FOUND, _CONFLICT = 403, 404, 409
_TAKE_OVERS = 5
"""Attempts to take over an object that others, such as its controller, change meanwhile."""


class ExistsError(PluginError):
    """There is such an object already, and it is not this resource's."""

    def __init__(self) -> None:
        super().__init__(
            "an object of this name exists already. If it should be part of the stack, import it"
            " (resource option `import_`), or let the provider take over what exists"
            " (`upsert_existing_objects`); if it is to be replaced under its name, delete it first"
            " (resource option `delete_before_replace`); if the resource was renamed in the"
            " program, give it an alias of its old name; if it belongs to something else, choose"
            " another name"
        )


class _BeingDeletedError(PluginError):
    def __init__(self) -> None:
        super().__init__("the former object of this name is not yet gone")


def preview_create(cluster: Cluster, obj: Object, manager: str) -> Object | None:
    """The object as it would be created; None if that cannot be told. Nothing is changed."""
    kind = cluster.kind_of(obj)
    obj = _placed(obj, kind)
    try:
        if cluster.get(kind, namespace_of(obj), name_of(obj)):
            return None  # it is to be replaced; or if not, creating it will say that it exists
        made = cluster.apply(kind, obj, manager, force=True, dry_run=True)
    except ApiError as problem:
        if problem.namespace_missing:
            _validate(cluster, kind, obj, manager)
            return None
        if problem.http_status == _FORBIDDEN:
            return None
        raise
    return {key: value for key, value in made.items() if key != "status"}


def create(
    cluster: Cluster,
    obj: Object,
    manager: str,
    *,
    adopt: bool,
    cancelled: threading.Event,
    report: Report,
) -> Object:
    """Create an object. Raises `ExistsError` if it exists, unless `adopt`.

    Even if this same manager has applied it before: that may be left of a creation that was cut
    short, but also be the object that is to be replaced, and deleted next.
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            kind = cluster.kind_of(obj)
            obj = _placed(obj, kind)
            existing = cluster.get(kind, namespace_of(obj), name_of(obj))
            if existing and "deletionTimestamp" in existing["metadata"]:
                raise _BeingDeletedError
            if existing and not adopt:
                raise ExistsError
            return cluster.apply(kind, obj, manager, force=_forced(obj) or adopt)
        except (UnknownKindError, _BeingDeletedError, ApiError) as problem:
            # Not found is the namespace, or the kind while the API server begins to serve it.
            if isinstance(problem, ApiError) and problem.http_status != _NOT_FOUND:
                raise
            pause = next(pauses, None)
            if pause is None:
                raise
            report(str(problem))
            if cancelled.wait(pause):
                raise


def preview_update(
    cluster: Cluster, obj: Object, manager: str, *, ignored: Iterable[Path], force: bool
) -> Object | None:
    """The object as it would be updated; None if that cannot be told. Nothing is changed."""
    kind = cluster.kind_of(obj)
    obj = _placed(obj, kind)
    live = cluster.get(kind, namespace_of(obj), name_of(obj))
    force = force or _forced(obj)
    if live:
        if has_predecessor(live):
            force = True
            live["metadata"]["managedFields"] = taken_over(live, manager)
        _leave(ignored, live, obj, manager)
    try:
        return cluster.apply(kind, obj, manager, force=force, dry_run=True)
    except ApiError as problem:
        if problem.http_status == _FORBIDDEN:
            return None
        raise


def update(
    cluster: Cluster, obj: Object, manager: str, *, ignored: Iterable[Path], force: bool
) -> Object:
    """Apply the new form of an object, which is created if it was deleted meanwhile.

    `ignored` are the fields of which the program does not care what they are. `force` takes over
    what other managers own.
    """
    kind = cluster.kind_of(obj)
    obj = _placed(obj, kind)
    live = cluster.get(kind, namespace_of(obj), name_of(obj))
    force = force or _forced(obj)
    if live:
        live = _take_over(cluster, kind, live, manager)
        _leave(ignored, live, obj, manager)
    return cluster.apply(kind, obj, manager, force=force)


def delete(cluster: Cluster, live: Object, inputs: Object) -> Object | None:
    """Ask for the deletion of an object; what remains of it until its finalizers have run."""
    try:
        kind = cluster.kind_of(live)
    except UnknownKindError:
        return None  # gone with its CustomResourceDefinition
    policy = annotation(inputs, "pulumi.com/deletionPropagationPolicy").lower()
    default = "Background" if kind.name in _LEAVES else "Foreground"
    propagation = _PROPAGATION.get(policy, default)
    return cluster.delete(kind, namespace_of(live), name_of(live), propagation)


def leaves_deletion(inputs: Object) -> bool:
    """Whether the program does not want the object's deletion to be waited for."""
    kind = f"{inputs.get('apiVersion')}/{inputs.get('kind')}"
    return kind in _LEFT and annotation(inputs, "pulumi.com/skipAwait") == "true"


def conflict_help(problem: ApiError) -> str:
    """What to do when other managers own fields that the program sets; empty if it is not that."""
    fields = [item for item in problem.causes if item.get("reason") == "FieldManagerConflict"]
    if not fields:
        return ""
    return (
        ". Either leave the field to the other manager, by taking it out of the program or by the"
        " resource option ignore_changes; or take it over, by the annotation pulumi.com/patchForce:"
        ' "true"'
    )


def _placed(obj: Object, kind: Kind) -> Object:
    return obj if kind.namespaced else in_namespace(obj, "")


def _forced(obj: Object) -> bool:
    return annotation(obj, "pulumi.com/patchForce") == "true"


def _validate(cluster: Cluster, kind: Kind, obj: Object, manager: str) -> None:
    # Its own namespace is still to be made, but the schema is the same in every other.
    try:
        cluster.apply(kind, in_namespace(obj, "default"), manager, force=True, dry_run=True)
    except ApiError as problem:
        if problem.is_about_content:
            raise


def _take_over(cluster: Cluster, kind: Kind, live: Object, manager: str) -> Object:
    for _ in range(_TAKE_OVERS):
        if not has_predecessor(live):
            break
        metadata = {
            "managedFields": taken_over(live, manager),
            "resourceVersion": live["metadata"]["resourceVersion"],
        }
        try:
            return cluster.merge(kind, live, {"metadata": metadata})
        except ApiError as problem:
            if problem.http_status != _CONFLICT:
                raise
            live = cluster.get(kind, namespace_of(live), name_of(live)) or live
    return live


def _leave(ignored: Iterable[Path], live: Object, obj: Object, manager: str) -> None:
    """Make the object's ignored fields what they are."""
    for path in ignored:
        source, target = live, obj
        try:
            for step in path[:-1]:
                source, target = source[step], target[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        last = str(path[-1])
        if not isinstance(target, dict) or not isinstance(source, dict):
            continue
        if is_others(live, manager, path):
            target.pop(last, None)
        elif last in source:
            # Not left out: what nobody else owns would be removed.
            target[last] = source[last]
