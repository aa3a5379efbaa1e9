import re
from typing import Any

import pytest

from components.observability.prometheus import Prometheus
from tests.unit.components.observability.servers import (
    args_of,
    bundled,
    config_file,
    container,
    deploy,
)
from tests.unit.harness import run
from tests.unit.stacks import BEACON


def prometheus(**metrics: Any) -> dict[str, Any]:
    return config_file(deploy(Prometheus, metrics=metrics), "prometheus.yaml")


def job(name: str) -> dict[str, Any]:
    (found,) = (one for one in prometheus()["scrape_configs"] if one["job_name"] == name)
    return found


def test_series_of_the_service_have_labels_for_pod_track_and_version() -> None:
    found = job("services/beacon")
    labels = {
        rule["target_label"]: rule.get("replacement") or rule["source_labels"][0]
        for rule in found["relabel_configs"]
        if "target_label" in rule
    }
    assert labels == {
        "namespace": "__meta_kubernetes_namespace",
        "pod": "__meta_kubernetes_pod_name",
        "service": "beacon",
        "track": "__meta_kubernetes_pod_label_track",
        "version": "__meta_kubernetes_pod_label_app_kubernetes_io_version",
    }
    assert found["relabel_configs"][0]["regex"] == "8080"


def test_only_running_pods_of_the_services_namespace_are_scraped() -> None:
    (discovery,) = job("services/beacon")["kubernetes_sd_configs"]
    assert discovery["namespaces"]["names"] == ["beacon-test"]
    (selector,) = discovery["selectors"]
    assert selector["field"] == "status.phase=Running"
    assert selector["label"] == "app.kubernetes.io/name in (beacon),track"


def test_a_service_without_metrics_is_not_scraped() -> None:
    args = args_of(bundled(metrics=None))
    registry = run(lambda: Prometheus("it", args))
    jobs = {one["job_name"] for one in config_file(registry, "prometheus.yaml")["scrape_configs"]}
    assert "services/beacon" not in jobs
    assert "servers" in jobs


@pytest.mark.parametrize("has_external_secrets", [True, False])
def test_external_secrets_of_the_stack_is_scraped(has_external_secrets: bool) -> None:
    args = args_of(bundled())
    args["has_external_secrets"] = has_external_secrets
    registry = run(lambda: Prometheus("it", args))
    configs = config_file(registry, "prometheus.yaml")["scrape_configs"]
    found = [one for one in configs if one["job_name"] == "external-secrets"]
    assert [one["honor_labels"] for one in found] == [True] * has_external_secrets
    egress = registry.one("NetworkPolicy")["spec"]["egress"]
    peers = [peer.get("podSelector") for rule in egress for peer in rule.get("to", ())]
    selector = {"matchLabels": {"app.kubernetes.io/name": "external-secrets"}}
    assert (selector in peers) == has_external_secrets


def test_a_service_may_have_the_name_of_another_job() -> None:
    args = args_of(
        bundled(services={"coredns": {**BEACON, "routing": {"hosts": ["dns.localhost"]}}})
    )
    config = config_file(run(lambda: Prometheus("it", args)), "prometheus.yaml")
    jobs = [one["job_name"] for one in config["scrape_configs"]]
    assert len(set(jobs)) == len(jobs)


def test_the_path_of_the_metrics_is_that_of_the_settings() -> None:
    args = args_of(bundled(metrics={"path": "/internal/metrics"}))
    config = config_file(run(lambda: Prometheus("it", args)), "prometheus.yaml")
    assert config["scrape_configs"][0]["metrics_path"] == "/internal/metrics"


def test_each_server_is_scraped_on_its_metrics_port() -> None:
    regex = job("servers")["relabel_configs"][0]["regex"]
    for pair in ("prometheus;9090", "loki;3100", "jaeger;8888", "collector-agent;8888"):
        assert pair in regex.split("|")
    assert "jaeger;16686" not in regex.split("|")


@pytest.mark.parametrize(
    "name", ["kube-state-metrics", "kubelet", "kubelet-cadvisor", "kubelet-probes"]
)
def test_metrics_about_other_objects_keep_their_labels(name: str) -> None:
    assert job(name)["honor_labels"] is True


def test_all_endpoints_of_the_kubelet_have_one_job_label() -> None:
    for name in ("kubelet", "kubelet-cadvisor", "kubelet-probes"):
        rules = job(name)["relabel_configs"]
        assert {"target_label": "job", "replacement": "kubelet"} in rules


def test_retention_follows_the_settings_and_90_percent_of_the_volume() -> None:
    retention = prometheus(retentionDays=45, volumeSize="10Gi")["storage"]["tsdb"]["retention"]
    assert retention == {"time": "45d", "size": f"{9 * 2**30}B"}


def test_scrape_and_evaluation_intervals_follow_the_settings() -> None:
    configured = prometheus(scrapeIntervalSeconds=5)["global"]
    assert configured["scrape_interval"] == configured["evaluation_interval"] == "5s"
    assert configured["scrape_timeout"] == "5s"
    assert prometheus(scrapeIntervalSeconds=60)["global"]["scrape_timeout"] == "10s"


def test_changed_rules_are_reloaded_without_a_restart() -> None:
    registry = deploy(Prometheus)
    args = container(registry, "StatefulSet")["args"]
    assert "--config.auto-reload" in args
    assert "annotations" not in registry.one("StatefulSet")["spec"]["template"]["metadata"]


def test_the_admin_api_is_disabled() -> None:
    args = container(deploy(Prometheus), "StatefulSet")["args"]
    assert not [one for one in args if one.startswith(("--web.enable-", "--no-web"))]


def test_permissions_are_read_only() -> None:
    rules = deploy(Prometheus).one("ClusterRole")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    resources = {name for rule in rules for name in rule.get("resources", [])}
    assert not {"secrets", "configmaps", "nodes/proxy"} & resources


def test_only_nodes_and_the_api_server_are_reached_outside_the_cluster() -> None:
    args = args_of(bundled(network={"nodeCIDRs": ["192.0.2.0/24"]}))
    registry = run(lambda: Prometheus("it", args))
    egress = registry.one("NetworkPolicy")["spec"]["egress"]
    blocks = [
        ([peer["ipBlock"]["cidr"] for peer in rule["to"]], [port["port"] for port in rule["ports"]])
        for rule in egress
        if "ipBlock" in rule["to"][0]
    ]
    assert blocks == [(["192.0.2.0/24"], [10250]), (["192.0.2.0/24"], [443, 6443])]


def test_the_certificates_of_the_services_are_monitored_if_cert_manager_issues_them() -> None:
    assert not any(one["job_name"] == "cert-manager" for one in prometheus()["scrape_configs"])
    args = args_of(bundled())
    args["cert_manager"] = "certificates"
    registry = run(lambda: Prometheus("it", args))
    (found,) = (
        one
        for one in config_file(registry, "prometheus.yaml")["scrape_configs"]
        if one["job_name"] == "cert-manager"
    )
    assert found["honor_labels"]
    (discovery,) = found["kubernetes_sd_configs"]
    assert discovery["namespaces"]["names"] == ["certificates"]


MESH = {"mesh": {"istio": {}}, "routing": {"backend": "istio"}}
MESH_PROXY = {"proxy": {"implementation": "istio"}}


@pytest.mark.parametrize(("changes", "port"), [({}, "8080"), ({"metrics": None}, "15090")])
def test_a_pod_with_a_sidecar_is_scraped_at_the_port_that_is_not_intercepted(
    changes: dict[str, Any], port: str
) -> None:
    args = args_of(bundled(observability=MESH_PROXY, **MESH, **changes))
    registry = run(lambda: Prometheus("it", args))
    configs = config_file(registry, "prometheus.yaml")["scrape_configs"]
    (found,) = (one for one in configs if one["job_name"] == "services/beacon")
    rules = found["relabel_configs"]
    assert rules[0]["regex"] == port
    replaced = {one["target_label"]: one for one in rules if "target_label" in one}
    assert replaced["__address__"]["replacement"] == "$1:15020"
    # Only of pods that have one: others are scraped as before, while sidecars are added.
    injected = "__meta_kubernetes_pod_annotationpresent_sidecar_istio_io_status"
    assert replaced["__address__"]["source_labels"][0] == injected
    assert replaced["__metrics_path__"]["source_labels"] == [injected]
    egress = registry.one("NetworkPolicy")["spec"]["egress"]
    assert 15020 in {one["port"] for rule in egress for one in rule.get("ports", ())}


@pytest.mark.parametrize(
    ("address", "port", "target"),
    [
        ("10.0.0.1:8000", "9100", "10.0.0.1:9100"),
        # Istio's gateway has the annotation 15020, and a container with the port 15090.
        ("10.0.0.1:15090", "15020", "10.0.0.1:15020"),
        ("[fd00::1]:8000", "9100", "[fd00::1]:9100"),
        ("10.0.0.1", "9100", "10.0.0.1:9100"),
    ],
)
def test_the_proxy_is_scraped_at_its_annotated_port(address: str, port: str, target: str) -> None:
    rules = job("ingress")["relabel_configs"]
    (rule,) = (one for one in rules if one.get("target_label") == "__address__")
    match = re.fullmatch(rule["regex"], f"{address};{port}")
    assert match
    assert match.expand(rule["replacement"].replace("$", "\\")) == target
