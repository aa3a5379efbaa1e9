"""Grafana with dashboards and data sources that link metrics, logs and traces."""

from pathlib import PurePosixPath
from typing import Any

import pulumi

from components.observability.addresses import (
    ALERTMANAGER,
    GRAFANA,
    JAEGER,
    LOKI,
    PROMETHEUS,
)
from components.observability.args import ObservabilityArgs
from components.observability.dashboards import all_dashboards
from components.observability.queries import DURATION, REQUESTS
from components.observability.server import SECRETS, HttpProbe, Server, ServerSpec
from components.observability.to_yaml import to_yaml
from components.versions import server_image
from settings import ResourceList, ResourceRequirements

_RESOURCES = ResourceRequirements(
    requests=ResourceList(cpu="50m", memory="128Mi"),
    limits=ResourceList(cpu="500m", memory="512Mi"),
)
_CONFIG_DIR = PurePosixPath("/etc/grafana")
_DATA = PurePosixPath("/var/lib/grafana")
_DASHBOARDS = "dashboards"
_INI = f"""\
[paths]
data = {_DATA}
provisioning = {_CONFIG_DIR}/provisioning
plugins = {_DATA}/plugins

[server]
http_port = {GRAFANA.port}

[security]
admin_user = admin
admin_password = $__file{{{SECRETS}/password}}
disable_gravatar = true
cookie_samesite = strict

[users]
allow_sign_up = false
viewers_can_edit = false

[auth.anonymous]
enabled = false

[dashboards]
default_home_dashboard_path = {_CONFIG_DIR}/{_DASHBOARDS}/overview.json

# Its NetworkPolicy allows no connections to grafana.com.
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false

[plugins]
preinstall_disabled = true

[news]
news_feed_enabled = false

# Prometheus evaluates the alerts.
[unified_alerting]
enabled = false

[log.console]
format = json
level = warn
"""


class Grafana(Server):
    """Grafana. The password of ``admin`` is generated and stored in a Secret."""

    def spec(self, args: ObservabilityArgs) -> ServerSpec:
        namespace = args["network"].monitoring_namespace
        dashboards = {f"{_DASHBOARDS}/{file}": text for file, text in all_dashboards(args).items()}
        return ServerSpec(
            kind="StatefulSet",
            namespace=namespace,
            image=server_image("grafana"),
            user=472,
            resources=_RESOURCES,
            ports={"http": GRAFANA.port},
            readiness=HttpProbe("/api/health", GRAFANA.port),
            liveness=HttpProbe("/healthz", GRAFANA.port),
            config_dir=_CONFIG_DIR,
            config_files={
                "grafana.ini": _INI,
                "provisioning/datasources/slipway.yaml": to_yaml(_data_sources(namespace)),
                "provisioning/dashboards/slipway.yaml": to_yaml(_DASHBOARD_PROVIDER),
                **dashboards,
            },
            hot_reloaded=frozenset(dashboards),
            secrets={"password": self._password()},
            data_dir=_DATA,
            storage=args["settings"].grafana,
            ingress=[PROMETHEUS.peer(namespace, GRAFANA.port)],
            egress=[
                address.peer(namespace) for address in (PROMETHEUS, ALERTMANAGER, LOKI, JAEGER)
            ],
        )

    def _password(self) -> pulumi.Output[str]:
        from pulumi_random import RandomPassword  # noqa: PLC0415  # only for stacks with Grafana

        opts = pulumi.ResourceOptions(parent=self)
        return RandomPassword("grafana-password", length=32, special=False, opts=opts).result


_DASHBOARD_PROVIDER: dict[str, Any] = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "slipway",
            "folder": "Slipway",
            "type": "file",
            "disableDeletion": True,
            "allowUiUpdates": False,
            "updateIntervalSeconds": 10,
            "options": {"path": str(_CONFIG_DIR / _DASHBOARDS)},
        }
    ],
}


def _data_sources(namespace: str) -> dict[str, Any]:
    """Provisioned data sources. Dashboards refer to their uids."""
    return {
        "apiVersion": 1,
        "prune": True,
        "datasources": [
            {
                **_data_source("prometheus", PROMETHEUS.url(namespace)),
                "isDefault": True,
                "jsonData": {
                    "httpMethod": "POST",
                    "prometheusType": "Prometheus",
                    "exemplarTraceIdDestinations": [
                        {"name": "trace_id", "datasourceUid": "jaeger", "urlDisplayLabel": "Trace"}
                    ],
                },
            },
            {
                **_data_source("loki", LOKI.url(namespace)),
                "jsonData": {
                    "derivedFields": [
                        {
                            "name": "Trace",
                            "matcherType": "label",
                            "matcherRegex": "trace_id",
                            "url": "$${__value.raw}",
                            "datasourceUid": "jaeger",
                        }
                    ]
                },
            },
            {
                **_data_source("jaeger", JAEGER.url(namespace)),
                "jsonData": {
                    "nodeGraph": {"enabled": True},
                    "tracesToLogsV2": {
                        "datasourceUid": "loki",
                        "spanStartTimeShift": "-5m",
                        "spanEndTimeShift": "5m",
                        "customQuery": True,
                        "tags": [{"key": "service.name", "value": "service_name"}],
                        "query": '{$${__tags}} | trace_id = "$${__trace.traceId}"',
                    },
                    "tracesToMetrics": {
                        "datasourceUid": "prometheus",
                        "spanStartTimeShift": "-10m",
                        "spanEndTimeShift": "10m",
                        "tags": [{"key": "service.name", "value": "service"}],
                        "queries": [
                            {
                                "name": "Requests by status",
                                "query": f"sum by (track, status) ({REQUESTS}{{$$__tags}})",
                            },
                            {
                                "name": "95th percentile of duration",
                                "query": "histogram_quantile(0.95, sum by (track, le)"
                                f" ({DURATION}{{$$__tags}}))",
                            },
                        ],
                    },
                },
            },
            {
                **_data_source("alertmanager", ALERTMANAGER.url(namespace)),
                "jsonData": {"implementation": "prometheus"},
            },
        ],
    }


def _data_source(kind: str, url: str) -> dict[str, Any]:
    return {"name": kind.capitalize(), "uid": kind, "type": kind, "access": "proxy", "url": url}
