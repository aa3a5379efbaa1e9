"""Alertmanager: who is told of which alert, and how often."""

from pathlib import PurePosixPath
from typing import Any

from components.network_peer import NetworkPeer
from components.observability.addresses import ALERTMANAGER, GRAFANA, PROMETHEUS
from components.observability.server import SECRETS, Description, Http, Server, ServerArgs
from components.observability.text import as_yaml
from components.versions import IMAGES
from settings import AlertsSettings, Receiver, ResourceList, ResourceRequirements, Storage

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="10m", memory="32Mi"), limits=ResourceList(cpu="200m", memory="128Mi")
)
_SLACK = {
    "send_resolved": True,
    "title": "{{ .Status | toUpper }} {{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }})",
    "text": "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n"
    "{{ with .Annotations.runbook_url }}{{ . }}\n{{ end }}{{ end }}",
}
_WATCHDOG = "Watchdog"
"""The alert that always fires, to show that alerting works."""


class AlertmanagerArgs(ServerArgs):
    """Arguments of :class:`Alertmanager`."""

    alerts: AlertsSettings


class Alertmanager(Server[AlertmanagerArgs]):
    """Groups, silences and sends. Silences outlast its pod."""

    def describe(self, args: AlertmanagerArgs) -> Description:
        alerts, namespace = args["alerts"], args["monitoring_namespace"]
        secrets = secret_files(alerts)
        return Description(
            kind="StatefulSet",
            namespace=namespace,
            image=IMAGES["alertmanager"],
            user=65534,
            resources=_RESOURCES,
            ports={"http": ALERTMANAGER.port},
            ready=Http("/-/ready", ALERTMANAGER.port),
            alive=Http("/-/healthy", ALERTMANAGER.port),
            args=[
                "--config.file=/etc/alertmanager/alertmanager.yaml",
                "--storage.path=/alertmanager",
                f"--web.external-url={ALERTMANAGER.url(namespace)}",
                # There is one: nobody to gossip with.
                "--cluster.listen-address=",
            ],
            folder=PurePosixPath("/etc/alertmanager"),
            files={"alertmanager.yaml": config_text(alerts)},
            secrets=secrets,
            data=PurePosixPath("/alertmanager"),
            store=Storage(
                volume_size=alerts.volume_size, storage_class_name=alerts.storage_class_name
            ),
            reached_by=[
                client.peer(namespace, ALERTMANAGER.port) for client in (PROMETHEUS, GRAFANA)
            ],
            # A receiver may be anything that has a URL.
            reaches=[NetworkPeer(None)] if secrets else [],
        )


def secret_files(alerts: AlertsSettings) -> dict[str, str]:
    """The URLs that are told, by the name of the file that holds each."""
    given = {
        "page-webhook": alerts.page.webhook,
        "page-slack": alerts.page.slack,
        "ticket-webhook": alerts.ticket.webhook,
        "ticket-slack": alerts.ticket.slack,
        "heartbeat": alerts.heartbeat,
    }
    return {name: url.get_secret_value() for name, url in given.items() if url}


def config_text(alerts: AlertsSettings) -> str:
    """The configuration file. Every URL is in a file of its own, which is read at each use."""
    config = {
        "route": {
            "receiver": "none",
            "group_by": ["alertname", "namespace", "service"],
            "group_wait": f"{alerts.group_wait_seconds}s",
            "group_interval": "1m",
            "repeat_interval": f"{alerts.repeat_interval_hours}h",
            "routes": [
                {
                    "receiver": "heartbeat",
                    "matchers": [f'alertname="{_WATCHDOG}"'],
                    "group_wait": "0s",
                    "group_interval": "30s",
                    # Looked at every 30 s, and due at the second look: once a minute.
                    "repeat_interval": "45s",
                },
                *(
                    {"receiver": severity, "matchers": [f'severity="{severity}"']}
                    for severity in ("page", "ticket")
                ),
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['severity="page"'],
                "target_matchers": ['severity="ticket"'],
                "equal": ["alertname", "namespace", "service"],
            }
        ],
        "receivers": [
            {"name": "none"},
            _receiver("page", alerts.page),
            _receiver("ticket", alerts.ticket),
            _heartbeat(alerts),
        ],
    }
    return as_yaml(config)


def _receiver(name: str, told: Receiver) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": name}
    if told.webhook:
        url_file = str(SECRETS / f"{name}-webhook")
        receiver["webhook_configs"] = [{"url_file": url_file, "send_resolved": True}]
    if told.slack:
        receiver["slack_configs"] = [{"api_url_file": str(SECRETS / f"{name}-slack"), **_SLACK}]
    return receiver


def _heartbeat(alerts: AlertsSettings) -> dict[str, Any]:
    url_file = str(SECRETS / "heartbeat")
    webhook = {"url_file": url_file, "send_resolved": False}
    return {"name": "heartbeat"} | ({"webhook_configs": [webhook]} if alerts.heartbeat else {})
