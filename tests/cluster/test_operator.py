"""The mode `operator` with a Prometheus of the operator: scraped pods, rules, autoscaler, gates."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.project import Project, wait_until
from tests.cluster.prometheus_operator import PrometheusAdapter, PrometheusOperator
from tests.cluster.traffic import steady_load

pytestmark = pytest.mark.timeout(900)

MIN_REPLICAS, MAX_REPLICAS = 1, 3
RATE = 30
"""Requests per second, for which the autoscaler needs more than two pods."""
METRIC = {"name": "http_requests_per_second", "averageValue": 10}
ADAPTER_RULES = [
    {
        "seriesQuery": 'http_requests_total{namespace!="",pod!=""}',
        "resources": {
            "overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
        },
        "name": {"matches": "^(.*)_total$", "as": "${1}_per_second"},
        "metricsQuery": "sum by (<<.GroupBy>>) (rate(<<.Series>>{<<.LabelMatchers>>}[1m]))",
    }
]
"""The rule of docs/service.md."""


@pytest.fixture(scope="module")
def operator(project: Project) -> Iterator[PrometheusOperator]:
    """The operator. A service with a canary is deployed beside it."""
    with project.config() as config:
        config["slipway:observability"] = {
            "mode": "operator",
            "metrics": {"scrapeIntervalSeconds": 5},
        }
        config["slipway:network"] = {"monitoringNamespace": f"{project.stack}-monitoring"}
    with project.service() as service:
        service["slo"] = {"availability": 99.9}
        service["autoscaling"] = {
            "minReplicas": MIN_REPLICAS,
            "maxReplicas": MAX_REPLICAS,
            "scaleDownStabilizationWindowSeconds": 15,
        }
    with PrometheusOperator(project) as operator:
        try:
            project.make("up")
            project.make("canary", "VERSION=1.1.0", "WEIGHT=50")
            yield operator
        finally:  # before the definitions of its objects are deleted
            project.make("down")


def test_its_prometheus_scrapes_the_pods_with_their_track_and_version(
    project: Project, operator: PrometheusOperator
) -> None:
    def up() -> dict[tuple[str, ...], str]:
        labels = ("service", "track", "version")
        found = operator.query(f'up{{namespace="{project.stack}"}}')
        return {tuple(one["metric"][name] for name in labels): one["value"][1] for one in found}

    expected = {("beacon", "stable", "1.0.0"): "1", ("beacon", "canary", "1.1.0"): "1"}
    wait_until("the pods of both tracks", lambda: up() == expected, 90)


def test_its_prometheus_evaluates_all_rules(project: Project, operator: PrometheusOperator) -> None:
    items = json.loads(project.kubectl("get", "prometheusrules", "--output=json"))["items"]
    groups: list[dict[str, Any]] = [group for one in items for group in one["spec"]["groups"]]
    written = sorted(
        rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]
    )

    def loaded() -> list[dict[str, Any]]:
        return [rule for rule in operator.rules() if rule["health"] != "unknown"]

    wait_until("the rules", lambda: sorted(rule["name"] for rule in loaded()) == written, 120)
    print(f"{len(written)} rules in {len(items)} PrometheusRules")
    assert [rule for rule in loaded() if rule["health"] != "ok"] == []
    with steady_load(project.host, rate=20):
        wait_until(
            "the SLIs of both tracks",
            lambda: (
                {
                    one["metric"]["track"]
                    for one in operator.query("slo:track_bad_requests:ratio_rate5m == 0")
                }
                == {"stable", "canary"}
            ),
            120,
        )


@pytest.mark.usefixtures("operator")
def test_a_stack_whose_canary_has_ended_is_unchanged_and_has_no_drift(project: Project) -> None:
    project.make("rollback")
    project.assert_unchanged()
    project.assert_no_drift()


def test_the_autoscaler_follows_memory_and_a_metric_of_the_pods(
    project: Project, operator: PrometheusOperator
) -> None:
    with project.service() as service:
        # CPU and memory alone would never add a pod.
        service["autoscaling"] |= {"targetCPU": 100, "targetMemory": 100, "podMetrics": [METRIC]}
        service["workload"]["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}}

    def autoscaler() -> dict[str, Any]:
        found = project.kubectl("get", "hpa", "beacon-stable", "--output=json")
        return json.loads(found)["status"]

    def metrics() -> dict[str, str]:
        known = autoscaler().get("currentMetrics") or ()
        return {
            one[kind].get("name") or one[kind]["metric"]["name"]: str(one[kind]["current"])
            for one in known
            for kind in [one["type"].lower()]
            if kind in one
        }

    with PrometheusAdapter(project, operator, ADAPTER_RULES):
        project.make("up")
        # A counter of requests does not exist before the first one.
        with steady_load(project.host, RATE) as load:
            wait_until(
                "more pods by all metrics",
                lambda: (
                    autoscaler()["currentReplicas"] == MAX_REPLICAS
                    and {*metrics()} == {"cpu", "memory", METRIC["name"]}
                ),
                240,
            )
            print(metrics())
            assert METRIC["name"] in project.make("status").stdout
    assert load.failures == []


@pytest.mark.usefixtures("operator")
def test_flagger_promotes_and_rolls_back_by_its_metrics(project: Project) -> None:
    with project.service() as service:
        service["autoscaling"].pop("podMetrics", None)
        service["release"] |= {
            "strategy": "progressive",
            "progressive": {"steps": [20, 50], "intervalSeconds": 10, "threshold": 4},
        }
    # Flagger analyses the settings that differ from those of the strategy before, too.
    with steady_load(project.host, rate=20) as load:
        project.make("up")
        output = project.make("release", "VERSION=1.2.0").stdout
    assert "beacon 1.2.0 is promoted" in output
    assert load.failures == []
    with project.service() as service:
        service["config"]["faults"]["errorRate"] = 0.5
    with steady_load(project.host, rate=20):
        failed = project.make_fails("release", "VERSION=1.3.0")
    assert "beacon 1.3.0 was rolled back" in failed.stdout + failed.stderr
