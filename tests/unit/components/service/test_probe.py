"""Probes of a container."""

from typing import Any

import pytest

from components.prune import prune_none
from components.service.probe import container_probes
from tests.unit.stacks import service

_TIMINGS = {"period_seconds", "timeout_seconds", "failure_threshold", "initial_delay_seconds"}
ALL = ("startup_probe", "liveness_probe", "readiness_probe")


def probes(**changes: Any) -> dict[str, Any]:
    one = service(**changes)
    return dict(prune_none(container_probes(one.probes, one.ports)))


def action(probe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in probe.items() if key not in _TIMINGS}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (
            {"httpGet": {"path": "/ready"}},
            {"http_get": {"path": "/ready", "port": "http", "scheme": "HTTP"}},
        ),
        (
            {"httpGet": {"port": "admin", "scheme": "HTTPS"}},
            {"http_get": {"path": "/", "port": "admin", "scheme": "HTTPS"}},
        ),
        ({"grpc": {"port": "admin"}}, {"grpc": {"port": 9090}}),
        (
            {"grpc": {"port": "admin", "service": "shop"}},
            {"grpc": {"port": 9090, "service": "shop"}},
        ),
        ({"tcpSocket": {"port": "admin"}}, {"tcp_socket": {"port": "admin"}}),
        ({"exec": {"command": ["/shop", "check"]}}, {"exec_": {"command": ["/shop", "check"]}}),
    ],
)
def test_a_probe_has_the_action_of_the_settings(
    setting: dict[str, Any], expected: dict[str, Any]
) -> None:
    ports = {"http": 8080, "admin": 9090}
    for name in ("startup", "liveness", "readiness"):
        assert action(probes(ports=ports, probes={name: setting})[f"{name}_probe"]) == expected


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ({"admin": 9090, "http": 8080}, "http"),
        ({"grpc": 8081, "admin": 9090}, "admin"),
    ],
)
def test_by_default_the_probes_connect_to_the_port_http_or_to_the_first_one_by_name(
    ports: dict[str, int], port: str
) -> None:
    found = probes(ports=ports, routing=None, metrics=None)
    assert [action(found[name]) for name in ALL] == [{"tcp_socket": {"port": port}}] * 3


def test_a_service_without_ports_has_no_probes_by_default() -> None:
    assert probes(ports={}, routing=None, metrics=None) == {}
    exec_probe = {"liveness": {"exec": {"command": ["/check"]}}}
    assert list(probes(ports={}, routing=None, metrics=None, probes=exec_probe)) == [
        "liveness_probe"
    ]


def test_a_probe_can_be_removed() -> None:
    assert list(probes(probes={"startup": None, "liveness": None})) == ["readiness_probe"]


def test_the_timings_come_from_the_settings() -> None:
    timings = {"periodSeconds": 7, "timeoutSeconds": 3, "failureThreshold": 2}
    probe = probes(probes={"readiness": {**timings, "initialDelaySeconds": 4}})["readiness_probe"]
    assert (probe["period_seconds"], probe["timeout_seconds"]) == (7, 3)
    assert (probe["failure_threshold"], probe["initial_delay_seconds"]) == (2, 4)


def test_a_zero_that_the_api_server_does_not_store_is_omitted() -> None:
    assert "initial_delay_seconds" not in probes()["startup_probe"]
    assert "initial_delay_seconds" in probes()["liveness_probe"]
