"""Alertmanager: receivers, routes and inhibition of alerts."""

from pathlib import PurePosixPath
from typing import Any

from components.network_peer import NetworkPeer
from components.observability.addresses import ALERTMANAGER, GRAFANA, PROMETHEUS
from components.observability.args import ObservabilityArgs
from components.observability.server import SECRETS, HttpProbe, Server, ServerSpec
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import AlertsSettings, Receiver, ResourceList, ResourceRequirements

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
"""Alert that always fires, for the dead man's switch."""


class Alertmanager(Server):
    """Alertmanager with silences on a persistent volume."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        alerts, namespace = args["settings"].alerts, args["network"].monitoring_namespace
        secrets = secret_files(alerts)
        return ServerSpec(
            kind="StatefulSet",
            namespace=namespace,
            image=server_image("alertmanager"),
            user=65534,
            resources=_RESOURCES,
            ports={"http": ALERTMANAGER.port},
            readiness=HttpProbe("/-/ready", ALERTMANAGER.port),
            liveness=HttpProbe("/-/healthy", ALERTMANAGER.port),
            args=[
                "--config.file=/etc/alertmanager/alertmanager.yaml",
                "--storage.path=/alertmanager",
                f"--web.external-url={ALERTMANAGER.url(namespace)}",
                # A single replica needs no cluster.
                "--cluster.listen-address=",
            ],
            config_dir=PurePosixPath("/etc/alertmanager"),
            config_files={"alertmanager.yaml": config_text(alerts)},
            secrets=secrets,
            data_dir=PurePosixPath("/alertmanager"),
            storage=alerts,
            ingress=[client.peer(namespace, ALERTMANAGER.port) for client in (PROMETHEUS, GRAFANA)],
            # The URL of a receiver can be anywhere.
            egress=[NetworkPeer(None)] if secrets else [],
        )


def secret_files(alerts: AlertsSettings) -> dict[str, str]:
    """URLs of the receivers, by file name."""
    urls = {"heartbeat": alerts.heartbeat}
    for name, receiver in _receivers(alerts).items():
        urls |= {f"{name}-webhook": receiver.webhook, f"{name}-slack": receiver.slack}
    return {name: url.get_secret_value() for name, url in urls.items() if url}


def _receivers(alerts: AlertsSettings) -> dict[str, Receiver]:
    """Receivers by name, those of the owners included."""
    receivers = {"page": alerts.page, "ticket": alerts.ticket}
    for owner, own in alerts.owners.items():
        receivers |= {f"owner-{owner}-page": own.page, f"owner-{owner}-ticket": own.ticket}
    return receivers


def config_text(alerts: AlertsSettings) -> str:
    """Alertmanager's configuration file. URLs are in secret files that are read at each use."""
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
                    # Due at every second group interval: once a minute.
                    "repeat_interval": "45s",
                },
                *(
                    {
                        "receiver": "none",
                        "matchers": [f'owner="{owner}"'],
                        "routes": _by_severity(f"owner-{owner}-"),
                    }
                    for owner in alerts.owners
                ),
                *_by_severity(),
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
            *(_receiver(name, receiver) for name, receiver in _receivers(alerts).items()),
            _heartbeat(alerts),
        ],
    }
    return to_yaml(config)


def _by_severity(prefix: str = "") -> list[dict[str, Any]]:
    return [
        {"receiver": f"{prefix}{severity}", "matchers": [f'severity="{severity}"']}
        for severity in ("page", "ticket")
    ]


def _receiver(name: str, settings: Receiver) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": name}
    if settings.webhook:
        url_file = str(SECRETS / f"{name}-webhook")
        receiver["webhook_configs"] = [{"url_file": url_file, "send_resolved": True}]
    if settings.slack:
        receiver["slack_configs"] = [{"api_url_file": str(SECRETS / f"{name}-slack"), **_SLACK}]
    return receiver


def _heartbeat(alerts: AlertsSettings) -> dict[str, Any]:
    url_file = str(SECRETS / "heartbeat")
    webhook = {"url_file": url_file, "send_resolved": False}
    return {"name": "heartbeat"} | ({"webhook_configs": [webhook]} if alerts.heartbeat else {})
