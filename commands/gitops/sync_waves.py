"""Sync waves of Argo CD, from the dependencies of the program."""

from collections.abc import Sequence
from functools import cache

from render import RenderedObject

ROUTES = ("DomainMapping", "GRPCRoute", "HTTPRoute", "Ingress", "VirtualService")
NOT_AWAITED = (*ROUTES, "Canary", "Gateway", "HorizontalPodAutoscaler", "ListenerSet")
"""Kinds that are healthy only when something outside the sync has happened, such as requests,
metrics or a load balancer's address. They are in the last wave: no other wave waits for it."""
_CLAIM = "PersistentVolumeClaim"
"""Kind that is healthy only when a pod uses it: it is in the wave of its first workload."""
_SKIP_AWAIT = "pulumi.com/skipAwait"
"""Annotation of objects whose readiness Pulumi does not await."""
_KNATIVE = "serving.knative.dev/"
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")


def sync_waves(objects: Sequence[RenderedObject]) -> dict[str, int]:
    """Return the wave of each object by its file.

    An object is in a later wave than its dependencies. Argo CD waits for the health of a wave
    before it applies the next one, as Pulumi waits for each dependency.
    """
    by_file = {one.file: one for one in objects}

    @cache
    def is_last(file: str) -> bool:
        one = by_file[file]
        return one.manifest["kind"] in NOT_AWAITED or any(map(is_last, one.dependencies))

    @cache
    def depth(file: str) -> int:
        return max((1 + depth(other) for other in by_file[file].dependencies), default=0)

    waves = {file: depth(file) for file in by_file if not is_last(file)}
    workloads = [one for one in objects if one.manifest["kind"] in _WORKLOADS]
    for claim in (one.file for one in objects if one.manifest["kind"] == _CLAIM):
        users = (waves[one.file] for one in workloads if claim in one.dependencies)
        waves[claim] = min(users, default=waves[claim])
    last = max(waves.values(), default=-1) + 1
    return {file: waves.get(file, last) for file in by_file}


def is_never_healthy(one: RenderedObject) -> bool:
    """Return True for an Ingress that gets no address, such as that of a canary."""
    metadata = one.manifest["metadata"]
    return one.manifest["kind"] == "Ingress" and _SKIP_AWAIT in metadata.get("annotations", {})


def behind_routes(objects: Sequence[RenderedObject]) -> frozenset[str]:
    """Return the files of the objects behind a route, which may still get requests.

    A Knative Service routes requests too. It is behind a route itself if a DomainMapping refers to
    it.
    """
    by_file = {one.file: one for one in objects}

    @cache
    def all_dependencies(file: str) -> frozenset[str]:
        direct = by_file[file].dependencies
        return direct.union(*map(all_dependencies, direct))

    routes = [one.file for one in objects if one.manifest["kind"] in ROUTES]
    knative = [one.file for one in objects if _is_knative_service(one)]
    # The Ingress of a canary depends on that of stable.
    return frozenset[str]().union(*map(all_dependencies, (*routes, *knative))).difference(routes)


def _is_knative_service(one: RenderedObject) -> bool:
    manifest = one.manifest
    return manifest["kind"] == "Service" and manifest["apiVersion"].startswith(_KNATIVE)
