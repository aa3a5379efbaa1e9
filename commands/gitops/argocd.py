"""Application of Argo CD."""

from collections.abc import Iterator, Sequence
from typing import Any

from commands.gitops.protected import is_protected
from commands.gitops.sync_waves import behind_routes, is_never_healthy, sync_waves
from render import Manifest, RenderedObject
from settings import DeliverySettings

_SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
_IGNORE_HEALTH = "argocd.argoproj.io/ignore-healthcheck"
_WAVE = "argocd.argoproj.io/sync-wave"


def annotations(
    objects: Sequence[RenderedObject],
) -> dict[str, dict[str, str]]:
    """Return the annotations of Argo CD for each object, by its file."""
    waves, behind = sync_waves(objects), behind_routes(objects)
    return {
        one.file: {
            _WAVE: str(waves[one.file]),
            **_sync_options(one, is_behind_route=one.file in behind),
            **({_IGNORE_HEALTH: "true"} if is_never_healthy(one) else {}),
        }
        for one in objects
    }


def _sync_options(one: RenderedObject, *, is_behind_route: bool) -> dict[str, str]:
    if is_protected(one):
        return {_SYNC_OPTIONS: "Prune=false,Delete=false"}
    # A release leaves its Job behind: its deletion need not wait for the routes.
    if is_behind_route and one.manifest["kind"] != "Job":
        return {_SYNC_OPTIONS: "PruneLast=true"}
    return {}


def sync_objects(
    name: str, namespace: str, delivery: DeliverySettings, objects: Sequence[RenderedObject]
) -> list[Manifest]:
    """Return the Application that syncs the manifests.

    It has no finalizer: its deletion keeps the objects.
    """
    ignored = [*ignored_differences(objects)]
    automated = {"prune": delivery.prune, "selfHeal": delivery.self_heal}
    return [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": name,
                "namespace": delivery.argocd.namespace,
                # Compares what the API server would store: defaults and fields of other
                # controllers are no differences.
                "annotations": {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"},
            },
            "spec": {
                "project": delivery.argocd.project,
                "source": {
                    "repoURL": delivery.repository,
                    "targetRevision": delivery.revision,
                    "path": f"{delivery.path}/manifests",
                },
                "destination": {"name": delivery.argocd.cluster, "namespace": namespace},
                "syncPolicy": {
                    "automated": automated,
                    "syncOptions": [
                        "ServerSideApply=true",
                        # Does not wait for the health of what has not changed, such as an Ingress
                        # that never gets an address.
                        "ApplyOutOfSyncOnly=true",
                        *(["RespectIgnoreDifferences=true"] if ignored else []),
                    ],
                    "retry": {
                        "limit": delivery.retries,
                        "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
                    },
                },
                **({"ignoreDifferences": ignored} if ignored else {}),
            },
        }
    ]


def ignored_differences(objects: Sequence[RenderedObject]) -> Iterator[dict[str, Any]]:
    """Yield the fields of the manifests that the program leaves as they are in the cluster."""
    for one in objects:
        pointers = [
            f"/{path.replace('.', '/')}" for path in one.ignored if _has_field(one.manifest, path)
        ]
        if pointers:
            yield {
                "group": one.manifest["apiVersion"].rpartition("/")[0],
                "kind": one.manifest["kind"],
                "namespace": one.manifest["metadata"]["namespace"],
                "name": one.manifest["metadata"]["name"],
                "jsonPointers": pointers,
            }


def _has_field(manifest: Manifest, path: str) -> bool:
    node: Any = manifest
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node is not None
