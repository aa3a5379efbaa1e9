import json
from typing import Any

import yaml

from components.observability.operator import OperatorObjects
from tests.unit.components.observability.servers import args_of
from tests.unit.harness import Registry, run
from tests.unit.stacks import settings


def objects(**changes: Any) -> Registry:
    changes.setdefault("observability", {"mode": "operator"})
    return run(lambda: OperatorObjects("watch", args_of(settings(**changes))))


def config_maps(registry: Registry, label: str) -> list[dict[str, Any]]:
    return [
        one.inputs
        for one in registry.of_kind("ConfigMap")
        if one.inputs["metadata"]["labels"].get(label) == "1"
    ]


def test_the_pod_monitor_selects_the_services_pods_and_their_metrics_port() -> None:
    monitor = objects().one("PodMonitor")
    assert monitor["spec"]["selector"] == {
        "matchLabels": {"app.kubernetes.io/instance": "beacon-test"},
        "matchExpressions": [
            {"key": "app.kubernetes.io/name", "operator": "In", "values": ["beacon"]}
        ],
    }
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["beacon-test"]}
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


def test_series_have_the_labels_that_rules_and_dashboards_use() -> None:
    spec = objects().one("PodMonitor")["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    relabelings = endpoint["relabelings"]
    assert relabelings[0] == {"targetLabel": "service", "replacement": "beacon"}
    assert {one["targetLabel"]: one["sourceLabels"] for one in relabelings[1:]} == {
        "track": ["__meta_kubernetes_pod_label_track"],
        "version": ["__meta_kubernetes_pod_label_app_kubernetes_io_version"],
    }
    assert spec["jobLabel"] == "app.kubernetes.io/name"


def test_the_scrape_timeout_is_at_most_the_interval() -> None:
    often = {"mode": "operator", "metrics": {"scrapeIntervalSeconds": 5}}
    (endpoint,) = objects(observability=often).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("5s", "5s")


def test_monitors_and_rules_have_the_release_label() -> None:
    registry = objects(observability={"mode": "operator", "operator": {"release": "watching"}})
    monitored = registry.of_kind("PodMonitor") + registry.of_kind("PrometheusRule")
    assert len(monitored) == 3
    for one in monitored:
        assert one.inputs["metadata"]["labels"]["release"] == "watching"
        assert one.inputs["metadata"]["namespace"] == "beacon-test"


def test_only_rules_about_the_service_are_created() -> None:
    registry = objects()
    assert registry.named("PrometheusRule") == {"beacon-slo", "beacon-service"}
    groups = [
        group["name"]
        for one in registry.of_kind("PrometheusRule")
        for group in one.inputs["spec"]["groups"]
    ]
    assert len(set(groups)) == len(groups)
    assert {"slo-alerts", "service-pods"} <= set(groups)
    assert not [name for name in groups if name.startswith(("kubernetes", "monitoring"))]


def test_a_service_without_metrics_is_not_scraped_but_has_an_objective() -> None:
    registry = objects(metrics=None)
    assert registry.of_kind("PodMonitor") == []
    assert registry.named("PrometheusRule") == {"beacon-service", "beacon-slo"}


def test_a_service_without_an_objective_has_rules_about_its_pods_only() -> None:
    assert objects(slo=None).named("PrometheusRule") == {"beacon-service"}


def test_external_secrets_of_the_stack_is_scraped_and_has_alerts() -> None:
    args = args_of(
        settings(observability={"mode": "operator", "operator": {"release": "watching"}})
    )
    args["has_external_secrets"] = True
    registry = run(lambda: OperatorObjects("watch", args))
    monitor = registry.one("PodMonitor", "external-secrets")
    assert monitor["metadata"]["labels"]["release"] == "watching"
    assert monitor["spec"]["podMetricsEndpoints"][0]["honorLabels"] is True
    (group,) = registry.one("PrometheusRule", "external-secrets")["spec"]["groups"]
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in group["rules"]}
    assert set(alerts) == {"ExternalSecretNotSynced", "SecretStoreNotReady"}
    assert alerts["SecretStoreNotReady"].endswith("/SecretStoreNotReady.md")


def test_dashboards_are_config_maps_in_grafanas_namespace() -> None:
    found = config_maps(objects(network={"monitoringNamespace": "watching"}), "grafana_dashboard")
    assert len(found) > 3
    for one in found:
        assert one["metadata"]["namespace"] == "watching"
        assert one["metadata"]["name"].startswith("beacon-test-dashboard-")
        (text,) = one["data"].values()
        assert json.loads(text)["panels"]


def test_without_grafana_there_are_no_config_maps() -> None:
    registry = objects(observability={"mode": "operator", "grafana": {"enabled": False}})
    assert registry.of_kind("ConfigMap") == []


def test_data_sources_are_created_for_configured_urls() -> None:
    assert config_maps(objects(), "grafana_datasource") == []
    named = {"lokiUrl": "http://loki.logs:3100", "jaegerUrl": "http://jaeger.traces:16686"}
    registry = objects(observability={"mode": "operator", "operator": named})
    (config_map,) = config_maps(registry, "grafana_datasource")
    (text,) = config_map["data"].values()
    loki, jaeger = yaml.safe_load(text)["datasources"]
    assert (loki["uid"], loki["url"]) == ("loki", "http://loki.logs:3100")
    assert loki["jsonData"]["derivedFields"][0]["datasourceUid"] == jaeger["uid"] == "jaeger"


def test_logs_link_to_traces_only_with_jaeger() -> None:
    operator = {"lokiUrl": "http://loki.logs:3100"}
    registry = objects(observability={"mode": "operator", "operator": operator})
    (config_map,) = config_maps(registry, "grafana_datasource")
    (source,) = yaml.safe_load(config_map["data"]["slipway.yaml"])["datasources"]
    assert "jsonData" not in source
