"""Requests in metrics, logs and traces."""

import secrets

import httpx
import pytest

from tests.cluster.observability.servers import Servers
from tests.cluster.project import INGRESS_URL, Project, wait_until
from tests.cluster.traffic import versions_of

pytestmark = pytest.mark.timeout(600)

REQUESTS = 500


TARGETS = {
    "alertmanager",
    "apiserver",
    "collector",
    "collector-agent",
    "coredns",
    "ingress",
    "jaeger",
    "kube-state-metrics",
    "kubelet",
    "loki",
    "node-exporter",
    "prometheus",
    "services/beacon",
}


def test_all_targets_are_up(servers: Servers) -> None:
    def states() -> dict[str, float]:
        return servers.values_by("job", "min by (job) (up)")

    wait_until(
        f"all targets; up: {states()}",
        lambda: states() == dict.fromkeys(TARGETS, 1),
        90,
    )


def test_a_trace_id_identifies_the_exemplar_log_lines_and_trace_of_a_request(
    monitored: Project, servers: Servers
) -> None:
    """First, because the limit on stored spans drops traces that follow a burst of requests."""
    trace_id = secrets.token_hex(16)
    response = httpx.get(
        f"{INGRESS_URL}/api/relay",
        headers={
            "Host": monitored.host,
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
        },
        timeout=10,
    )
    assert response.status_code == 200

    counted = f'http_request_duration_seconds_bucket{{namespace="{monitored.stack}"}}'
    wait_until(
        f"an exemplar of {trace_id}",
        lambda: trace_id in servers.exemplar_traces(counted),
        40,
        interval=2,
    )
    logged = f'{{k8s_namespace_name="{monitored.stack}"}} | trace_id="{trace_id}"'
    wait_until("its log line", lambda: bool(servers.texts(logged)), 40, interval=2)
    assert all(trace_id in line for line in servers.texts(logged))
    wait_until("its trace", lambda: len(servers.operations(trace_id)) >= 3, 40, interval=2)
    operations = servers.operations(trace_id)
    assert any("/api/relay" in operation for operation in operations), operations


def test_the_counters_equal_the_requests_of_the_client_by_version(
    monitored: Project, servers: Servers
) -> None:
    monitored.make("canary", "SERVICE=beacon", "VERSION=1.1.0", "WEIGHT=10")
    wait_until("a response of the canary", lambda: "1.1.0" in versions_of(monitored.host, 20), 20)
    counted = f'sum by (version) (http_requests_total{{namespace="{monitored.stack}",path="/"}})'
    sent = dict.fromkeys(("1.0.0", "1.1.0"), 0.0)
    read: list[dict[str, float]] = []

    def is_stable() -> bool:
        read.append(servers.values_by("version", counted))
        # Two equal values may be one scrape: the next one may have failed.
        return set(read[-1]) == set(sent) and read[-3:] == [read[-1]] * 3

    wait_until("unchanged counters", is_stable, 90, interval=6)
    start = read[-1]
    seen = versions_of(monitored.host, REQUESTS)
    expected = {version: start[version] + seen[version] for version in sent}
    wait_until(
        "a scrape of the counters",
        lambda: sum(servers.values_by("version", counted).values()) >= sum(expected.values()),
        30,
        interval=2,
    )
    assert servers.values_by("version", counted) == expected
    assert sum(seen.values()) == REQUESTS


def test_log_lines_have_service_level_and_track(monitored: Project, servers: Servers) -> None:
    stream = f'{{service_name="beacon", k8s_namespace_name="{monitored.stack}"}}'
    assert servers.texts(f'{stream} | level="info"')
    assert servers.texts(f'{stream} | track="stable"')
    assert not servers.texts(f'{stream} | level="nonsense"')
