"""What a kube-prometheus-stack that the cluster runs already is told of the service."""

from typing import Any, TypedDict

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap

from components.labels import Identity, Labels
from components.observability.dashboards import all_dashboards
from components.observability.rules import service_groups
from components.observability.slo import Slo
from settings import ObservabilitySettings, Service

Json = dict[str, Any]

_API = "monitoring.coreos.com/v1"
_LONGEST_SCRAPE = 10
"""Seconds; Prometheus' own default."""


class OperatorObjectsArgs(TypedDict):
    """Arguments of :class:`OperatorObjects`."""

    settings: ObservabilitySettings
    service: Service
    slo: Slo
    monitoring_namespace: str
    """Namespace of Grafana."""


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
        self._args = args
        self._settings = args["settings"]
        self._identity = Identity(args["service"].name, args["slo"].namespace)
        self._child = pulumi.ResourceOptions(parent=self)
        if args["service"].metrics:
            self._pod_monitor()
        self._rules()
        if self._settings.grafana.enabled:
            self._dashboards()
            self._data_sources()
        self.register_outputs({})

    def _selected_labels(self) -> Labels:
        return {**self._identity.labels, "release": self._settings.operator.release}

    def _pod_monitor(self) -> None:
        """Of pods, not of Services: a pod belongs to one track, and is scraped once."""
        identity, namespace = self._identity, self._args["slo"].namespace
        interval = self._settings.metrics.scrape_interval_seconds
        CustomResource(
            f"{self._name}-pods",
            api_version=_API,
            kind="PodMonitor",
            metadata={
                "name": identity.object_name,
                "namespace": namespace,
                "labels": self._selected_labels(),
            },
            spec={
                "selector": {"matchLabels": identity.selector},
                "namespaceSelector": {"matchNames": [namespace]},
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
        args, runbooks = self._args, self._settings.runbook_base_url
        for subject, groups in service_groups(args["service"], args["slo"]).items():
            CustomResource(
                f"{self._name}-rules-{subject}",
                api_version=_API,
                kind="PrometheusRule",
                metadata={
                    "name": f"{self._identity.object_name}-{subject}",
                    "namespace": args["slo"].namespace,
                    "labels": self._selected_labels(),
                },
                spec={"groups": [group.as_json(runbooks) for group in groups]},
                opts=self._child,
            )

    def _dashboards(self) -> None:
        dashboards = all_dashboards(self._args["slo"], self._args["monitoring_namespace"])
        for file, text in dashboards.items():
            self._for_grafana(f"dashboard-{file.removesuffix('.json')}", "dashboard", file, text)

    def _data_sources(self) -> None:
        """Those that kube-prometheus-stack does not have; its own one of Prometheus it has."""
        operator = self._settings.operator
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
        namespace = self._args["slo"].namespace
        ConfigMap(
            f"{self._name}-{suffix}",
            metadata={
                # Two stacks may share one Grafana.
                "name": f"{namespace}-{self._identity.object_name}-{suffix}",
                "namespace": self._args["monitoring_namespace"],
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
