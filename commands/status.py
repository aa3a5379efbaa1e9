"""``make status``: tracks, versions, traffic and pods of a stack, as a table."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from commands import kubectl

DIGEST_LENGTH = 12
"""Hexadecimal digits of a digest; Docker shows as many."""


def show(outputs: Mapping[str, Any], environment: Mapping[str, str], context: str | None) -> None:
    """Print the tracks of a stack and its URL."""
    console = Console()
    if not outputs:
        console.print("nothing is deployed: run `make up`")
        return
    namespace = outputs["namespace"]
    objects = kubectl.get(
        *("deployments,horizontalpodautoscalers", "--namespace", namespace),
        environment=environment,
        context=context,
    )["items"]
    table = Table(title=namespace, title_justify="left")
    for column in ("track", "version", "traffic", "ready", "autoscaling", "digest"):
        table.add_column(column, no_wrap=True)
    canary = outputs.get("canary")
    canary_weight = canary["weight"] if canary else 0
    for track, running, weight in (
        ("stable", outputs["stable"], 100 - canary_weight),
        ("canary", canary, canary_weight),
    ):
        if running is None:
            continue
        deployment = _of_track(objects, "Deployment", track)
        autoscaler = _of_track(objects, "HorizontalPodAutoscaler", track)
        table.add_row(
            track,
            running["version"],
            f"{weight} %",
            _readiness(deployment),
            _autoscaling(autoscaler),
            running["image"].rpartition(":")[2][:DIGEST_LENGTH],
        )
    console.print(table)
    console.print(f"URL  {outputs['url']}", soft_wrap=True)


def _of_track(objects: list[dict[str, Any]], kind: str, track: str) -> dict[str, Any]:
    for item in objects:
        if item["kind"] == kind and item["metadata"].get("labels", {}).get("track") == track:
            return item
    return {}


def _readiness(deployment: dict[str, Any]) -> str:
    status = deployment.get("status", {})
    return f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}"


def _autoscaling(autoscaler: dict[str, Any]) -> str:
    spec = autoscaler.get("spec")
    if not spec:
        return "-"
    current = {
        metric["resource"]["name"]: metric["resource"]["current"].get("averageUtilization")
        for metric in autoscaler.get("status", {}).get("currentMetrics") or []
        if metric.get("type") == "Resource"
    }
    targets = ", ".join(
        f"{metric['resource']['name']} {_percent(current.get(metric['resource']['name']))}"
        f"/{metric['resource']['target'].get('averageUtilization')} %"
        for metric in spec.get("metrics", [])
        if metric.get("type") == "Resource"
    )
    return f"{spec.get('minReplicas', 1)}-{spec['maxReplicas']}, {targets}"


def _percent(value: int | None) -> str:
    return "?" if value is None else str(value)
