"""``make alerts``: pending, firing and silenced alerts, from Prometheus and Alertmanager."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from commands.control_characters import escape_control_characters
from commands.observability_client import ObservabilityClient
from components.observability.addresses import ALERTMANAGER
from settings import AlertsSettings

WATCHDOG = "Watchdog"
"""The alert that always fires; if it does not, no other alert is delivered either."""
_ORDER = {"page": 0, "ticket": 1}
_STYLES = {"page": "bold red", "ticket": "yellow"}
_WORKLOADS = ("deployment", "horizontalpodautoscaler", "pod")
_OBJECTS = ("service", *_WORKLOADS, "persistentvolumeclaim", "job_name", "container", "node")
"""Labels whose values name an object, after its namespace."""
_DAY = timedelta(days=1)


def add_arguments(parser: ArgumentParser) -> None:
    """Options of `make alerts`."""
    parser.add_argument("--service", default="")


def show(client: ObservabilityClient, arguments: Namespace, console: Console) -> None:
    """Print the alerts, the dead man's switch and the receivers."""
    # Starts the port-forward in parallel with the query to Prometheus.
    client.forward(ALERTMANAGER)
    alerts = client.alerts()
    silenced = client.silenced_alerts()
    others = [
        alert
        for alert in alerts
        if alert["labels"]["alertname"] != WATCHDOG
        and arguments.service in ("", alert["labels"].get("service"))
    ]
    if others:
        console.print(_table(others, silenced))
    else:
        console.print("no alert is firing or pending", style="green")
    message, style = _watchdog(alerts)
    console.print(message, style=style, highlight=False)
    console.print(receivers(client.settings.observability.alerts), highlight=False)


def receivers(settings: AlertsSettings) -> str:
    """Kinds of the configured receivers; their URLs are secrets."""
    parts = []
    for name in ("page", "ticket"):
        receiver = getattr(settings, name)
        kinds = [kind for kind in ("webhook", "slack") if getattr(receiver, kind) is not None]
        parts.append(f"{name}: {' and '.join(kinds) or 'none'}")
    for owner, receiver in settings.owners.items():
        kinds = [
            f"{severity} {kind}"
            for severity in ("page", "ticket")
            for kind in ("webhook", "slack")
            if getattr(getattr(receiver, severity), kind) is not None
        ]
        parts.append(f"{owner}: {' and '.join(kinds) or 'none'}")
    parts.append(f"heartbeat: {'webhook' if settings.heartbeat is not None else 'none'}")
    return f"receivers  {', '.join(parts)}"


def _table(alerts: list[dict[str, Any]], silenced: list[Mapping[str, str]]) -> Table:
    table = Table()
    table.add_column("severity", no_wrap=True)
    table.add_column("alert", no_wrap=True)
    table.add_column("object", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("since", no_wrap=True)
    table.add_column("summary", overflow="fold")
    table.add_column("runbook", overflow="fold")
    for alert in sorted(alerts, key=_urgency):
        labels, annotations = alert["labels"], alert["annotations"]
        state = "silenced" if labels in silenced else alert["state"]
        table.add_row(
            labels.get("severity", "-"),
            labels["alertname"],
            object_of(labels),
            state,
            _since(alert["activeAt"]),
            annotations.get("summary", "-"),
            _runbook(annotations.get("runbook_url", "")),
            style="dim" if state == "silenced" else _STYLES.get(labels.get("severity", "")),
        )
    return table


def object_of(labels: Mapping[str, str]) -> str:
    """Object that an alert is about: its namespace and name, then the labels that are left."""
    named = [labels[name] for name in ("namespace", *_OBJECTS) if labels.get(name)]
    if len(named) > 1 and "service" in labels and any(labels.get(name) for name in _WORKLOADS):
        named.remove(labels["service"])
    shown = {"alertname", "severity", "owner", "window", "within", "namespace", *_OBJECTS}
    details = [f"{name}={value}" for name, value in sorted(labels.items()) if name not in shown]
    return escape_control_characters(" ".join(["/".join(named), *details]).strip() or "-")


def _urgency(alert: dict[str, Any]) -> tuple[bool, int, str]:
    severity = alert["labels"].get("severity", "")
    return alert["state"] != "firing", _ORDER.get(severity, 2), alert["activeAt"]


def _watchdog(alerts: list[dict[str, Any]]) -> tuple[str, str]:
    for alert in alerts:
        if alert["labels"]["alertname"] == WATCHDOG and alert["state"] == "firing":
            since = _since(alert["activeAt"])
            return f"alerting works: the dead man's switch has been firing for {since}", "green"
    return "alerting is broken: the dead man's switch is not firing", "bold red"


def _since(active_at: str) -> str:
    start = datetime.fromisoformat(active_at[:19]).replace(tzinfo=UTC)
    lasted = timedelta(seconds=max(0, int((datetime.now(UTC) - start).total_seconds())))
    if lasted >= _DAY:
        return f"{lasted.days} d"
    minutes, seconds = divmod(lasted.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _runbook(url: str) -> str:
    """Path of the runbook in this repository, or its URL if it is elsewhere."""
    _, found, page = url.rpartition("/docs/runbooks/")
    return f"docs/runbooks/{page}" if found else url or "-"
