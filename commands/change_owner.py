"""``make change-owner``: gives the objects of a stack to the owner that its settings name.

Nothing in the cluster is deleted or restarted. With ``delivery.mode: gitops``, Pulumi removes the
objects from its state, and the engine gets the fields that Pulumi has applied: otherwise it could
not remove them. With ``pulumi``, nobody has the fields of the engine any more: the next update,
which creates every object in the state, would conflict with them.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands import kubectl
from commands.errors import CommandError, report_errors
from commands.gitops.sync_name import sync_name
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.stack_lock import hold_lock
from components.labels import NAME_LABEL
from render import objects_of
from settings import DeliverySettings, Settings, load
from settings.project import project_name

PULUMI = "pulumi-kubernetes-"
"""Prefix of Pulumi's field managers: each object has one of its own."""
ENGINES = {"argocd": "argocd-controller", "flux": "kustomize-controller"}
"""Field manager of each engine."""
RELEASED = "slipway"
"""Field manager that has what is left of the fields of an engine."""
_ATTEMPTS = 3
_SYNCED_BY = {
    "argocd": "applications.argoproj.io",
    "flux": "kustomizations.kustomize.toolkit.fluxcd.io",
}

Fields = list[dict[str, Any]]
"""``metadata.managedFields`` of an object."""


def change_owner(stack: str) -> str:
    """Change the owner; return a message. An interrupted change can be made again."""
    settings = load(stack)
    prerequisites = Prerequisites(settings)
    prerequisites.prepare_cli()
    environment = {**os.environ, **prerequisites.variables()}
    if settings.delivery.is_gitops:
        Stack(stack, environment).forget()
    else:
        _check_unsynced(sync_name(stack), settings, environment)
    changed = _change_all_fields(stack, settings, environment)
    owner = settings.delivery.engine_name if settings.delivery.is_gitops else "Pulumi"
    return (
        f"{stack}: {owner} owns the objects now; the fields of {changed} objects were given to it"
    )


def _check_unsynced(name: str, settings: Settings, environment: Mapping[str, str]) -> None:
    """Raise :class:`CommandError` if an engine still syncs the stack."""
    delivery = settings.delivery
    namespace = _namespace(delivery)
    kind, context = _SYNCED_BY[delivery.engine], settings.cluster.context
    try:
        found = kubectl.get(
            *(kind, name, "--namespace", namespace, "--ignore-not-found"),
            environment=environment,
            context=context,
        )
    except CommandError as error:
        if "the server doesn't have a resource type" not in str(error):
            raise
        return
    if found:
        raise CommandError(
            f"{delivery.engine_name} still syncs the stack: `kubectl delete {kind} {name} "
            f"--namespace {namespace}` ends that, and keeps the objects"
        )


def _namespace(delivery: DeliverySettings) -> str:
    """Namespace of the objects that sync the stack."""
    return (delivery.argocd if delivery.engine == "argocd" else delivery.flux).namespace


def _change_all_fields(stack: str, settings: Settings, environment: Mapping[str, str]) -> int:
    """Change the managed fields of all objects; return the number of changed objects."""
    changed = 0
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            for _ in _change_fields(stack, settings, environment):
                changed += 1
        except CommandError:
            # A controller has changed the object since it was read.
            if attempt == _ATTEMPTS:
                raise
        else:
            break
    return changed


def _change_fields(
    stack: str, settings: Settings, environment: Mapping[str, str]
) -> Iterator[None]:
    """Change the managed fields of each object; yield for each that has changed."""
    delivery, context = settings.delivery, settings.cluster.context
    ignored = {_identity(one.manifest): one.ignored for one in objects_of(stack)}
    for live in kubectl.get_all(ignored, environment=environment, context=context):
        fields, paths = live["metadata"].get("managedFields", []), ignored[_identity(live)]
        changed = (
            fields_of_engine(fields, ENGINES[delivery.engine], paths)
            if delivery.is_gitops
            else released_fields(fields, paths)
        )
        if changed != fields:
            kubectl.set_managed_fields(live, changed, environment=environment, context=context)
            yield


def _identity(manifest: Mapping[str, Any]) -> kubectl.Identity:
    metadata = manifest["metadata"]
    return kubectl.Identity(
        manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace")
    )


def fields_of_engine(fields: Fields, engine: str, ignored: Sequence[str] = ()) -> Fields:
    """Return managed fields in which ``engine`` has the fields that any owner has applied.

    Nobody has the paths ``ignored``: the engine does not apply them, and Kubernetes would reset
    what it had, such as the replicas under a HorizontalPodAutoscaler.
    """
    applied = [one for one in fields if _is_owned(one)]
    if not applied:
        return fields
    merged: dict[str, Any] = {}
    for one in applied:
        merged = _union(merged, one["fieldsV1"])
    for path in ignored:
        merged = _without(merged, [f"f:{key}" for key in path.split(".")])
    others = [one for one in fields if one not in applied]
    return [{**applied[0], "manager": engine, "fieldsV1": merged}, *others]


def released_fields(fields: Fields, ignored: Sequence[str] = ()) -> Fields:
    """Return managed fields without those of an owner.

    One label stays, because Kubernetes gives the fields of an object without managers to another
    one. So do replicas that Pulumi ignores later: it creates a Deployment with the minimum, and
    must fail if more pods run.
    """
    applied = [one for one in fields if _is_owned(one)]
    if not applied:
        return fields
    kept: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{NAME_LABEL}": {}}}}
    if "spec.replicas" in ignored:
        kept["f:spec"] = {"f:replicas": {}}
    others = [one for one in fields if one not in applied]
    return [{**applied[0], "manager": RELEASED, "fieldsV1": kept}, *others]


def _without(fields: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    first, *rest = path
    if not rest or first not in fields:
        return {key: inner for key, inner in fields.items() if key != first}
    return {**fields, first: _without(fields[first], rest)}


def _is_owned(one: Mapping[str, Any]) -> bool:
    manager = str(one.get("manager"))
    is_owner = manager.startswith(PULUMI) or manager in ENGINES.values()
    return is_owner and one["operation"] == "Apply" and "subresource" not in one


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of two sets of fields."""
    both = {key: _union(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Change the owner; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.change_owner", description=__doc__)
    parser.add_argument("--stack", required=True)
    options = parser.parse_args(arguments)
    with hold_lock(f"{project_name()}-{options.stack}"):
        print(change_owner(options.stack))
    return 0


if __name__ == "__main__":
    sys.exit(main())
