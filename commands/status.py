"""``make status``: tracks, versions, traffic and pods of the services, as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from commands import kubectl
from commands.console import new_console
from commands.flagger_canary import CanaryState
from components.labels import NAME_LABEL, PRIMARY, VERSION_LABEL
from settings import parse_quantity

DIGEST_LENGTH = 12
"""Hexadecimal digits of a digest; Docker shows as many."""
_METRICS = ("Resource", "Pods")
"""Types of an autoscaler's metrics that are shown."""
_REVISION_LABEL = "serving.knative.dev/revision"
"""Label of the Deployments that Knative creates."""


def show(
    outputs: Mapping[str, Any],
    only: str,
    environment: Mapping[str, str],
    context: str | None,
    progressive: Mapping[str, CanaryState] | None = None,
    *,
    found: kubectl.Objects | None = None,
) -> None:
    """Print the tracks and URLs of a stack's services, or of the service ``only``.

    ``progressive`` has the state of each service whose releases Flagger decides. ``found`` has the
    Deployments and HorizontalPodAutoscalers of the namespace; by default they are read.
    """
    states = progressive or {}
    console = new_console()
    services = {
        name: service
        for name, service in outputs.get("services", {}).items()
        if not only or name == only
    }
    if not services:
        console.print(f"{only or 'nothing'} is {'not ' if only else ''}deployed: run `make up`")
        return
    table = Table(title=outputs["namespace"], title_justify="left")
    for column in ("service", "track", "version", "traffic", "ready", "autoscaling", "digest"):
        table.add_column(column, no_wrap=True)
    for row in rows({**outputs, "services": services}, environment, context, states, found):
        table.add_row(*row)
    console.print(table)
    for name, state in states.items():
        if name in services and state.is_in_progress:
            progress = f"{name}: release of {state.version(name)} in progress: {state.progress}"
            console.print(progress, highlight=False, soft_wrap=True)
    urls = {name: service["url"] for name, service in services.items() if "url" in service}
    width = max(map(len, urls), default=0)
    for name, url in urls.items():
        console.print(f"{name:{width}}  {url}", soft_wrap=True, highlight=False)


def rows(
    outputs: Mapping[str, Any],
    environment: Mapping[str, str],
    context: str | None,
    progressive: Mapping[str, CanaryState],
    found: kubectl.Objects | None = None,
) -> Iterator[Sequence[str]]:
    """A row for each track: service, track, version, traffic, ready, autoscaling, digest.

    ``found`` is that of :func:`show`. Raises :class:`CommandError` if the cluster cannot be read.
    """
    objects = found
    if objects is None:
        namespace = outputs["namespace"]
        objects = kubectl.workloads(namespace, environment=environment, context=context)
    for name, service in outputs["services"].items():
        state = progressive.get(name)
        lines = [*_progressive_rows(name, service, state, objects)] if state else []
        yield from lines or _rows(name, service, objects)


def _rows(
    name: str, service: Mapping[str, Any], objects: kubectl.Objects
) -> Iterator[Sequence[str]]:
    canary = service.get("canary")
    canary_weight = canary["weight"] if canary else 0
    for track, running, weight in (
        ("stable", service["stable"], 100 - canary_weight),
        ("canary", canary, canary_weight),
    ):
        if running is None:
            continue
        color = running.get("color")
        yield (
            name,
            f"{track} ({color})" if color else track,
            running["version"],
            f"{weight} %" if "url" in service else "-",
            _readiness(_deployments(objects, name, color or track, running["version"])),
            _autoscaling(
                next(_of_track(objects, "HorizontalPodAutoscaler", name, color or track), {})
            ),
            running["image"].rpartition(":")[2][:DIGEST_LENGTH],
        )


def _progressive_rows(
    name: str, service: Mapping[str, Any], state: CanaryState, objects: kubectl.Objects
) -> Iterator[Sequence[str]]:
    """The version that serves, and beside it the one whose release is in progress."""
    target = state.canary["metadata"]["name"]
    served = state.served(name) or (service["stable"]["version"], service["stable"]["image"])
    new = (state.version(name) or "?", state.digest(name) or "")
    tracks = [("stable", served, 100 - state.weight, state.primary_pods, PRIMARY)]
    if state.is_in_progress:
        tracks.append(("canary", new, state.weight, state.canary_pods, ""))
    for track, (version, digest), weight, pods, suffix in tracks:
        yield (
            name,
            track,
            version,
            f"{weight} %" if "url" in service else "-",
            str(pods),
            _autoscaling(_named(objects, "HorizontalPodAutoscaler", f"{target}{suffix}")),
            digest.rpartition(":")[2][:DIGEST_LENGTH],
        )


def _named(objects: kubectl.Objects, kind: str, name: str) -> Mapping[str, Any]:
    found = (one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)
    return next(found, {})


def _of_track(
    objects: kubectl.Objects, kind: str, service: str, track: str
) -> Iterator[Mapping[str, Any]]:
    labels = {NAME_LABEL: service, "track": track}
    for item in objects:
        if item["kind"] == kind and labels.items() <= item["metadata"].get("labels", {}).items():
            yield item


def _deployments(
    objects: kubectl.Objects, service: str, track: str, version: str
) -> kubectl.Objects:
    """Deployments of a track.

    Knative has one for each revision: those of other versions than ``version`` are left out.
    """

    def is_current(labels: Mapping[str, str]) -> bool:
        return _REVISION_LABEL not in labels or labels.get(VERSION_LABEL) == version

    found = _of_track(objects, "Deployment", service, track)
    return [one for one in found if is_current(one["metadata"]["labels"])]


def _readiness(deployments: kubectl.Objects) -> str:
    statuses = [one.get("status", {}) for one in deployments]
    ready, desired = (
        sum(one.get(key, 0) for one in statuses) for key in ("readyReplicas", "replicas")
    )
    return f"{ready}/{desired}"


def _autoscaling(autoscaler: Mapping[str, Any]) -> str:
    spec = autoscaler.get("spec")
    if not spec:
        return "-"
    known = autoscaler.get("status", {}).get("currentMetrics") or []
    current = dict(_metric(one, "current") for one in known if one.get("type") in _METRICS)
    targets = ", ".join(
        f"{name} {current.get(name, '?')}/{target}{' %' if one['type'] == 'Resource' else ''}"
        for one in spec.get("metrics", [])
        if one.get("type") in _METRICS
        for name, target in [_metric(one, "target")]
    )
    return f"{spec.get('minReplicas', 1)}-{spec['maxReplicas']}, {targets}"


def _metric(metric: Mapping[str, Any], field: str) -> tuple[str, str]:
    """Name of a metric of an autoscaler, and its value in a field: percent, or an average."""
    if metric["type"] == "Resource":
        source = metric["resource"]
        return source["name"], str(source[field].get("averageUtilization", "?"))
    source = metric["pods"]
    return source["metric"]["name"], f"{parse_quantity(source[field]['averageValue']):g}"
