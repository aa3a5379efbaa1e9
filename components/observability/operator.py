"""What a kube-prometheus-stack that the cluster runs already is told of the service."""

from typing import Any, TypedDict

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap

from components.labels import Identity, Labels
from components.observability.dashboards import all_dashboards
from components.observability.rules import service_groups
from settings import Settings

Json = dict[str, Any]

_API = "monitoring.coreos.com/v1"
_LONGEST_SCRAPE = 10
"""Seconds; Prometheus' own default."""


class OperatorObjectsArgs(TypedDict):
    """What :class:`OperatorObjects` is made from."""

    settings: Settings
    """Of the whole stack."""


class OperatorObjects(pulumi.ComponentResource):
    """A PodMonitor, PrometheusRules, and what Grafana's sidecar reads.

    What Prometheus reads lies beside the service: its operator looks into every namespace. What
    Grafana reads lies in Grafana's, where its sidecar always looks. Rules are those about the
    service alone: the cluster's own come with kube-prometheus-stack.
    """

    def __init__(
        self, name: str, args: OperatorObjectsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:observability:OperatorObjects", name, None, opts)
        self._name = name
        self._settings = settings = args["settings"]
        self._identity = Identity(settings.service.name, settings.namespace.name)
        self._child = pulumi.ResourceOptions(parent=self)
        if settings.service.metrics:
            self._pod_monitor()
        self._rules()
        if settings.observability.grafana.enabled:
            self._dashboards()
            self._data_sources()
        self.register_outputs({})

    def _selected_labels(self) -> Labels:
        release = self._settings.observability.operator.release
        return {**self._identity.labels, "release": release}

    def _pod_monitor(self) -> None:
        """Of pods, not of Services: a pod belongs to one track, and is scraped once."""
        settings, identity = self._settings, self._identity
        interval = settings.observability.metrics.scrape_interval_seconds
        CustomResource(
            f"{self._name}-pods",
            api_version=_API,
            kind="PodMonitor",
            metadata={
                "name": identity.object_name,
                "namespace": settings.namespace.name,
                "labels": self._selected_labels(),
            },
            spec={
                "selector": {"matchLabels": identity.selector},
                "namespaceSelector": {"matchNames": [settings.namespace.name]},
                "jobLabel": "app.kubernetes.io/name",
                "podMetricsEndpoints": [
                    {
                        "port": "admin",
                        "path": "/metrics",
                        "interval": f"{interval}s",
                        "scrapeTimeout": f"{min(interval, _LONGEST_SCRAPE)}s",
                        "relabelings": [
                            _from_pod("app_kubernetes_io_name", "service"),
                            _from_pod("track", "track"),
                            _from_pod("app_kubernetes_io_version", "version"),
                        ],
                    }
                ],
            },
            opts=self._child,
        )

    def _rules(self) -> None:
        settings = self._settings
        for subject, groups in service_groups(settings).items():
            CustomResource(
                f"{self._name}-rules-{subject}",
                api_version=_API,
                kind="PrometheusRule",
                metadata={
                    "name": f"{self._identity.object_name}-{subject}",
                    "namespace": settings.namespace.name,
                    "labels": self._selected_labels(),
                },
                spec={
                    "groups": [
                        group.as_json(settings.observability.runbook_base_url) for group in groups
                    ]
                },
                opts=self._child,
            )

    def _dashboards(self) -> None:
        for file, text in all_dashboards(self._settings).items():
            self._for_grafana(f"dashboard-{file.removesuffix('.json')}", "dashboard", file, text)

    def _data_sources(self) -> None:
        """Those that kube-prometheus-stack does not have; its own one of Prometheus it has."""
        operator = self._settings.observability.operator
        found = [
            *(
                [_loki(operator.loki_url, is_traced=bool(operator.jaeger_url))]
                if operator.loki_url
                else []
            ),
            *([_data_source("jaeger", operator.jaeger_url)] if operator.jaeger_url else []),
        ]
        if found:
            text = yaml.safe_dump({"apiVersion": 1, "datasources": found}, sort_keys=False)
            self._for_grafana("datasources", "datasource", "slipway.yaml", text)

    def _for_grafana(self, suffix: str, what: str, file: str, text: str) -> None:
        settings = self._settings
        ConfigMap(
            f"{self._name}-{suffix}",
            metadata={
                # Two stacks may share one Grafana.
                "name": f"{settings.namespace.name}-{self._identity.object_name}-{suffix}",
                "namespace": settings.network.monitoring_namespace,
                "labels": {**self._identity.labels, f"grafana_{what}": "1"},
            },
            data={file: text},
            opts=self._child,
        )


def _from_pod(pod_label: str, label: str) -> Json:
    return {"sourceLabels": [f"__meta_kubernetes_pod_label_{pod_label}"], "targetLabel": label}


def _data_source(kind: str, url: str) -> Json:
    return {
        "name": f"{kind.capitalize()} (slipway)",
        "type": kind,
        "uid": kind,
        "url": url,
        "access": "proxy",
    }


def _loki(url: str, *, is_traced: bool) -> Json:
    to_trace = {
        "name": "trace_id",
        "matcherType": "label",
        "matcherRegex": "trace_id",
        "url": "$${__value.raw}",
        "datasourceUid": "jaeger",
    }
    fields = {"jsonData": {"derivedFields": [to_trace]}} if is_traced else {}
    return {**_data_source("loki", url), **fields}
