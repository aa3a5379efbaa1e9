"""GitRepository or OCIRepository of Flux, and its Kustomization."""

from collections.abc import Sequence

from commands.gitops.protected import is_protected
from render import Manifest, RenderedObject
from settings import DeliverySettings

_TIMEOUT = "10m"
"""Time for the objects of a sync to be ready."""


def annotations(
    objects: Sequence[RenderedObject],
) -> dict[str, dict[str, str]]:
    """Return the annotations of Flux for each object, by its file."""
    kept = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
    return {one.file: kept if is_protected(one) else {} for one in objects}


def sync_objects(
    name: str, namespace: str, delivery: DeliverySettings, objects: Sequence[RenderedObject]
) -> list[Manifest]:
    """Return the objects that sync the manifests. The deletion of the Kustomization keeps them."""
    del namespace, objects
    flux = delivery.flux
    metadata = {"name": name, "namespace": flux.namespace}
    interval = f"{flux.interval_seconds}s"
    is_oci = str(delivery.repository).startswith("oci://")
    source = "OCIRepository" if is_oci else "GitRepository"
    secret = {"secretRef": {"name": flux.secret_name}} if flux.secret_name else {}
    account = flux.service_account_name
    return [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": source,
            "metadata": metadata,
            "spec": {
                "interval": interval,
                "url": delivery.repository,
                "ref": _reference(delivery.revision, is_oci=is_oci),
                **secret,
            },
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": metadata,
            "spec": {
                "interval": interval,
                "retryInterval": interval,
                "timeout": _TIMEOUT,
                "sourceRef": {"kind": source, "name": name},
                "path": f"./{delivery.path}/manifests",
                "prune": delivery.prune,
                "wait": True,
                "deletionPolicy": "Orphan",
                **({"serviceAccountName": account} if account else {}),
            },
        },
    ]


def _reference(revision: str, *, is_oci: bool) -> dict[str, str]:
    if is_oci:
        return {"tag": revision}
    # `name` is any reference of Git, and a branch by its short name is `branch`.
    return {"name": revision} if revision.startswith("refs/") else {"branch": revision}
