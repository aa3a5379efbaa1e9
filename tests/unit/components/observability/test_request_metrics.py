"""Recorded series of each source of request metrics; tests/manifests evaluates them."""

import re
from typing import Any

import promql_parser
import pytest

from components.observability.monitored_service import MonitoredService
from components.observability.queries import DURATION, ERRORS, REQUESTS
from tests.unit.components.observability.servers import args_of, bundled
from tests.unit.stacks import BLUE_GREEN, changed

PROXIES = ("traefik", "ingress-nginx", "envoy-gateway", "istio", "istio-sidecar")
MESH = {"mesh": {"istio": {}}, "routing": {"backend": "istio"}}
QUERIES = {
    "requests": "sum by (track) (rate(jobs_total{$selector}[5m]))",
    "errors": 'sum by (track) (rate(jobs_total{$selector,result="error"}[5m]))',
    "duration": "sum by (le) (rate(job_duration_seconds_bucket{$selector}[5m]))",
    "buckets": [1, 10],
}
SOURCES: dict[str, dict[str, Any]] = {
    **{
        convention: {"metrics": {"convention": convention}}
        for convention in ("prometheus", "opentelemetry", "podinfo", "grpc")
    },
    **{
        proxy: {
            "metrics": None,
            "observability": {"proxy": {"implementation": proxy}},
            **(MESH if proxy == "istio-sidecar" else {}),
        }
        for proxy in PROXIES
    },
    "queries": {"slo": {"source": "queries", "queries": QUERIES}},
}


def monitored(**changes: Any) -> MonitoredService:
    (service,) = args_of(bundled(**changes))["services"]
    return service


def rules(**changes: Any) -> list[dict[str, Any]]:
    requests = monitored(**changes).requests
    assert requests
    return list(requests.rules())


def expression(record: str, **changes: Any) -> str:
    return next(rule["expr"] for rule in rules(**changes) if rule["record"] == record)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_records_requests_errors_and_durations_of_the_service(source: str) -> None:
    recorded = rules(**SOURCES[source])
    assert {rule["record"] for rule in recorded} == {REQUESTS, ERRORS, DURATION}
    for rule in recorded:
        promql_parser.parse(rule["expr"])
        labels = rule.get("labels", {"namespace": "beacon-test", "service": "beacon"})
        assert (labels["namespace"], labels["service"]) == ("beacon-test", "beacon")


@pytest.mark.parametrize(
    ("proxy", "live", "idle"),
    [
        (
            "traefik",
            "beacon-green-[0-9]+@kubernetesingressnginx",
            "beacon-test-beacon-blue(-http)?",
        ),
        ("ingress-nginx", 'service=~"beacon-green",canary=~"-?"', "beacon-test-beacon-blue-.+"),
        ("istio", 'destination_workload="beacon-green"', 'destination_workload="beacon-blue"'),
    ],
)
def test_the_requests_of_the_live_color_are_those_of_stable(
    proxy: str, live: str, idle: str
) -> None:
    release = {**BLUE_GREEN, "blueGreen": {"live": "green"}}
    recorded = {
        rule["labels"]["track"]: rule["expr"]
        for rule in rules(release=release, **SOURCES[proxy])
        if rule["record"] == REQUESTS
    }
    assert (live in recorded["stable"], idle in recorded["canary"]) == (True, True)


@pytest.mark.parametrize("source", PROXIES)
def test_the_buckets_of_a_proxy_are_its_own(source: str) -> None:
    slo = monitored(**SOURCES[source]).slo
    assert slo
    assert slo.latency_threshold == (0.3 if source == "traefik" else 0.25)


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, {"path": "route"}),
        ({"metrics": {"labels": {"status": "code"}}}, {"path": "route", "code": "status"}),
        (
            {"metrics": {"convention": "opentelemetry"}},
            {
                "http_request_method": "method",
                "http_route": "route",
                "http_response_status_code": "status",
            },
        ),
    ],
)
def test_labels_get_their_common_names(changes: dict[str, Any], labels: dict[str, str]) -> None:
    renamed = re.findall(r'"(\w+)", "\$1", "(\w+)"', expression(REQUESTS, **changes))
    assert {source: target for target, source in renamed} == labels


def test_a_histogram_in_milliseconds_is_recorded_in_seconds() -> None:
    metrics = {"convention": "custom", "duration": "latency_ms", "durationUnit": "milliseconds"}
    recorded = [rule for rule in rules(metrics=metrics) if rule["record"] == DURATION]
    bounds = {rule["labels"]["le"]: rule["expr"] for rule in recorded}
    assert 'le=~"250([.]0)?"' in bounds["0.25"]
    assert 'le="+Inf"' in bounds["+Inf"]


@pytest.mark.parametrize("route", ["/metrics", "metrics", "GET /metrics", "/metrics/"])
def test_requests_of_prometheus_are_not_the_users(route: str) -> None:
    (excluded,) = re.findall(r'path!~"([^"]*)"', expression(REQUESTS))
    assert re.fullmatch(excluded, route)
    assert not re.fullmatch(excluded, "/api/metricsets")


@pytest.mark.parametrize(
    ("track", "names"),
    [
        (
            "stable",
            [
                "beacon-test-beacon-beacon-stable-8080@kubernetesingressnginx",
                "beacon-test-beacon-stable-http-8080@kubernetesgateway",
                "beacon-test-beacon-stable-8080-grpc@kubernetesgateway",
                "beacon-test-beacon-stable-8080@kubernetes",
            ],
        ),
        (
            "canary",
            [
                "beacon-test-beacon-beacon-stable-8080-canary@kubernetesingressnginx",
                "beacon-test-beacon-canary-http-8080@kubernetesgateway",
                "beacon-test-beacon-canary-8080@kubernetes",
            ],
        ),
    ],
)
def test_traefiks_names_of_a_tracks_service_are_matched(track: str, names: list[str]) -> None:
    patterns = {
        rule["labels"]["track"]: re.findall(r'service=~"([^"]*)"', rule["expr"])[0]
        for rule in rules(metrics=None)
        if rule["record"] == REQUESTS
    }
    for name in names:
        for other, pattern in patterns.items():
            assert bool(re.fullmatch(pattern, name)) == (other == track)
    assert not re.fullmatch(patterns[track], f"beacon-test-x-{names[-1]}")


@pytest.mark.parametrize(
    ("proxy", "name"),
    [
        ("traefik", "beacon-test-beacon-grpc-beacon-stable-9000@kubernetesingressnginx"),
        ("ingress-nginx", "beacon-grpc"),
        ("envoy-gateway", "grpcroute/beacon-test/beacon-grpc/rule/0"),
        ("istio-sidecar", "inbound|9000||"),
    ],
)
def test_requests_to_additional_ports_are_counted(proxy: str, name: str) -> None:
    route = {"hosts": ["grpc.localhost"], "protocol": "grpc"}
    two_ports = {
        "ports": {"http": 8080, "grpc": 9000},
        "routing": {"additionalPorts": {"grpc": route}},
    }
    patterns = re.findall(
        r'=~"([^"]*)"', expression(REQUESTS, **changed(SOURCES[proxy], two_ports))
    )
    assert any(re.fullmatch(pattern, name) for pattern in patterns), patterns


def test_only_own_histograms_have_exemplars() -> None:
    requests = monitored().requests
    assert requests
    assert requests.exemplars == "http_request_duration_seconds_bucket"
    proxy = monitored(metrics=None).requests
    assert proxy
    assert proxy.exemplars is None


def test_errors_of_grpc_are_those_of_the_server() -> None:
    errors = expression(ERRORS, metrics={"convention": "grpc"})
    assert "Unavailable" in errors
    assert "NotFound" not in errors
