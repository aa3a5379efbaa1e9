"""Objects for an existing kube-prometheus-stack."""

from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap

from components.istio_sidecar import METRICS_PATH, METRICS_PORT
from components.labels import COMMON_LABELS, INSTANCE_LABEL, NAME_LABEL, Identity, Labels
from components.observability.addresses import EXTERNAL_SECRETS_METRICS
from components.observability.args import ObservabilityArgs
from components.observability.dashboards import all_dashboards
from components.observability.monitored_service import MonitoredService
from components.observability.rule import add_runbook_urls
from components.observability.rules import rules_of_service
from components.observability.rules.external_secrets import external_secrets_rules
from components.observability.to_yaml import to_yaml
from components.track_roles import RoleRule
from settings import OBJECT_TRACKS, ObservabilitySettings, OperatorSettings, ServiceMetrics

Json = dict[str, Any]

_API = "monitoring.coreos.com/v1"
_MAX_SCRAPE_TIMEOUT = 10
"""Prometheus' default, in seconds."""


class OperatorObjects(pulumi.ComponentResource):
    """PodMonitor and PrometheusRules of each service and of External Secrets, dashboards and data
    sources for Grafana.

    PodMonitors and PrometheusRules are in the service's namespace, because the operator watches all
    namespaces; ConfigMaps are in Grafana's, where its sidecar always looks. Rules about the cluster
    come with kube-prometheus-stack.
    """

    def __init__(
        self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:observability:OperatorObjects", name, None, opts)
        settings = args["settings"]
        self._name = name
        self._namespace = args["namespace"]
        self._monitoring_namespace = args["network"].monitoring_namespace
        self._release = settings.operator.release
        self._has_one_service = len(args["services"]) == 1
        self._child = pulumi.ResourceOptions(parent=self)
        for service in args["services"]:
            if service.metrics or service.has_sidecar:
                self._pod_monitor(
                    service, service.metrics, settings.metrics.scrape_interval_seconds
                )
            self._rules(service, settings.runbook_base_url)
        if args.get("has_external_secrets"):
            self._external_secrets(settings)
        if settings.grafana.enabled:
            dashboards = all_dashboards(args)
            for file, text in dashboards.items():
                suffix = f"dashboard-{file.removesuffix('.json')}"
                self._config_map(suffix, "grafana_dashboard", file, text)
            if data_sources := _data_sources(settings.operator):
                text = to_yaml({"apiVersion": 1, "datasources": data_sources})
                self._config_map("datasources", "grafana_datasource", "slipway.yaml", text)
        self.register_outputs({})

    def _metadata(self, service: MonitoredService, name: str) -> Json:
        labels: Labels = {**self._identity(service).labels, "release": self._release}
        return {"name": name, "namespace": self._namespace, "labels": labels}

    def _identity(self, service: MonitoredService) -> Identity:
        return Identity(service.name, self._namespace)

    def _opts(self, earlier_name: str) -> pulumi.ResourceOptions:
        """Options with an alias: in a stack of one service, names were without the service's."""
        aliases = [pulumi.Alias(name=earlier_name)] if self._has_one_service else None
        return pulumi.ResourceOptions(parent=self, aliases=aliases)

    def _rules(self, service: MonitoredService, runbook_base_url: str) -> None:
        for name, groups in rules_of_service(service, runbook_base_url).items():
            subject = name.removeprefix(f"{service.name}-")
            CustomResource(
                f"{self._name}-rules-{name}",
                api_version=_API,
                kind="PrometheusRule",
                metadata=self._metadata(service, name),
                spec={"groups": groups},
                opts=self._opts(f"{self._name}-rules-{subject}"),
            )

    def _external_secrets(self, settings: ObservabilitySettings) -> None:
        name = EXTERNAL_SECRETS_METRICS.server
        identity = Identity(name, self._namespace)
        metadata = {
            "name": name,
            "namespace": self._namespace,
            "labels": {**identity.labels, "release": self._release},
        }
        groups = external_secrets_rules()
        add_runbook_urls([groups], settings.runbook_base_url)
        interval = settings.metrics.scrape_interval_seconds
        endpoint = {
            "port": "metrics",
            "interval": f"{interval}s",
            "scrapeTimeout": f"{min(interval, _MAX_SCRAPE_TIMEOUT)}s",
            # Keep the labels of the objects that the metrics are about.
            "honorLabels": True,
        }
        for kind, spec in {
            "PrometheusRule": {"groups": groups},
            "PodMonitor": {
                "selector": {"matchLabels": identity.selector},
                "namespaceSelector": {"matchNames": [self._namespace]},
                "podMetricsEndpoints": [endpoint],
            },
        }.items():
            CustomResource(
                f"{self._name}-{name}-{kind.lower()}",
                api_version=_API,
                kind=kind,
                metadata=metadata,
                spec=spec,
                opts=self._child,
            )

    def _pod_monitor(
        self, service: MonitoredService, metrics: ServiceMetrics | None, interval: int
    ) -> None:
        """Selects pods, not Services, so that each pod is scraped once, with its track."""
        CustomResource(
            f"{self._name}-pods-{service.name}",
            api_version=_API,
            kind="PodMonitor",
            metadata=self._metadata(service, service.name),
            spec={
                "selector": {
                    "matchLabels": {INSTANCE_LABEL: self._namespace},
                    "matchExpressions": [
                        {
                            "key": NAME_LABEL,
                            "operator": "In",
                            "values": [*service.roles.pod_names],
                        }
                    ],
                },
                "namespaceSelector": {"matchNames": [self._namespace]},
                "jobLabel": "app.kubernetes.io/name",
                "podMetricsEndpoints": [
                    {
                        "port": service.scraped_port or "http-envoy-prom",
                        "path": metrics.path if metrics else METRICS_PATH,
                        "interval": f"{interval}s",
                        "scrapeTimeout": f"{min(interval, _MAX_SCRAPE_TIMEOUT)}s",
                        "relabelings": [
                            *(_SIDECAR if service.has_sidecar else ()),
                            {"targetLabel": "service", "replacement": service.name},
                            _relabel("track", "track"),
                            *map(_role, service.roles.rules),
                            _relabel("app_kubernetes_io_version", "version"),
                        ],
                    }
                ],
            },
            opts=self._opts(f"{self._name}-pods"),
        )

    def _config_map(self, suffix: str, label: str, file: str, text: str) -> None:
        ConfigMap(
            f"{self._name}-{suffix}",
            metadata={
                # The services' namespace distinguishes stacks that share a Grafana.
                "name": f"{self._namespace}-{suffix}",
                "namespace": self._monitoring_namespace,
                "labels": {**COMMON_LABELS, label: "1"},
            },
            data={file: text},
            opts=self._child,
        )


_WITH_SIDECAR = "__meta_kubernetes_pod_annotationpresent_sidecar_istio_io_status"
_SIDECAR: tuple[Json, ...] = (
    # A Job before a start has no ports and accepts no connections.
    {
        "sourceLabels": ["__meta_kubernetes_pod_label_track"],
        "regex": "|".join(OBJECT_TRACKS),
        "action": "keep",
    },
    {
        "sourceLabels": [_WITH_SIDECAR, "__address__"],
        "regex": "true;(.+):[0-9]+",
        "targetLabel": "__address__",
        "replacement": f"$1:{METRICS_PORT}",
    },
    {
        "sourceLabels": [_WITH_SIDECAR],
        "regex": "true",
        "targetLabel": "__metrics_path__",
        "replacement": METRICS_PATH,
    },
)
"""The sidecar of a pod answers with the metrics of both; a pod that has none yet, with its own."""


def _relabel(pod_label: str, label: str) -> Json:
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{pod_label}"], "targetLabel": label}


def _role(rule: RoleRule) -> Json:
    return {
        "sourceLabels": [f"__meta_kubernetes_pod_{rule.metric_label}"],
        "regex": rule.value,
        "targetLabel": "track",
        "replacement": rule.track,
    }


def _data_sources(operator: OperatorSettings) -> list[Json]:
    """Loki and Jaeger. kube-prometheus-stack provisions Prometheus itself."""
    data_sources: list[Json] = []
    if operator.loki_url:
        loki = _data_source("loki", operator.loki_url)
        if operator.jaeger_url:
            trace_link = {
                "name": "trace_id",
                "matcherType": "label",
                "matcherRegex": "trace_id",
                "url": "$${__value.raw}",
                "datasourceUid": "jaeger",
            }
            loki["jsonData"] = {"derivedFields": [trace_link]}
        data_sources.append(loki)
    if operator.jaeger_url:
        data_sources.append(_data_source("jaeger", operator.jaeger_url))
    return data_sources


def _data_source(kind: str, url: str) -> Json:
    return {
        "name": f"{kind.capitalize()} (slipway)",
        "type": kind,
        "uid": kind,
        "url": url,
        "access": "proxy",
    }
