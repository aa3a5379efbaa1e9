"""Queries to the servers, through a fake `kubectl port-forward`."""

import math
import os
import signal
import socket

import pytest

from commands.errors import BAD_INPUT, CommandError
from commands.observability_client import ObservabilityClient, check_mode
from commands.port_forward import PortForward, ServerDownError
from components.observability.addresses import LOKI, PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, matrix, vector
from tests.unit.stacks import settings


def test_a_vector_has_one_value_per_series(cluster: Cluster) -> None:
    body = vector(({"track": "stable"}, 2), ({"track": "canary"}, math.nan))
    cluster.respond(PROMETHEUS, "/api/v1/query", body)
    with cluster.client() as client:
        stable, canary = client.query("up")
    assert (stable.labels, stable.value) == ({"track": "stable"}, 2)
    assert math.isnan(canary.value)
    assert cluster.requests() == [{"query": "up"}]


def test_a_scalar_is_a_series_without_labels(cluster: Cluster) -> None:
    data = {"resultType": "scalar", "result": [1, "42"]}
    cluster.respond(PROMETHEUS, "/api/v1/query", {"data": data})
    with cluster.client() as client:
        (series,) = client.query("42")
    assert (series.labels, series.value) == ({}, 42)


def test_a_range_query_has_the_newest_value_last(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query_range", matrix(({}, [1, 2, 3])))
    with cluster.client() as client:
        (series,) = client.query_range("up", 3600)
    assert (series.values, series.value) == ((1, 2, 3), 3)
    (request,) = cluster.requests()
    assert int(request["end"]) - int(request["start"]) == 3600
    assert request["step"] == "60"


def test_log_lines_of_many_streams_are_sorted_by_time(cluster: Cluster) -> None:
    streams = [
        {"stream": {"level": "info"}, "values": [["3", "c"], ["1", "a"]]},
        {"stream": {"level": "error"}, "values": [["2", "b"]]},
    ]
    data = {"data": {"resultType": "streams", "result": streams}}
    cluster.respond(LOKI, "/loki/api/v1/query_range", data)
    with cluster.client() as client:
        lines = client.log_lines("{}", 0, 10)
    assert [line.text for line in lines] == ["a", "b", "c"]
    assert lines[1].labels == {"level": "error"}


def test_control_characters_of_a_response_are_escaped(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", vector(({"path": "/\x1b[2J\u202e"}, 2)))
    with cluster.client() as client:
        (series,) = client.query("up")
    assert series.labels == {"path": "/\\x1b[2J\\u202e"}


def test_a_metric_query_returns_no_log_lines(cluster: Cluster) -> None:
    data = {"data": {"resultType": "matrix", "result": []}}
    cluster.respond(LOKI, "/loki/api/v1/query_range", data)
    with cluster.client() as client, pytest.raises(CommandError, match="returns no log lines"):
        client.log_lines("rate({}[1m])", 0, 10)


def test_an_error_of_prometheus_is_in_the_message(cluster: Cluster) -> None:
    body = {"status": "error", "error": 'parse error: unexpected "("'}
    cluster.respond(PROMETHEUS, "/api/v1/query", body, status=400)
    with cluster.client() as client, pytest.raises(CommandError) as error:
        client.query("up(")
    assert str(error.value) == 'prometheus rejects the query: parse error: unexpected "("'
    assert error.value.exit_code == BAD_INPUT


def test_an_error_of_loki_in_plain_text_is_in_the_message(cluster: Cluster) -> None:
    cluster.respond(LOKI, "/loki/api/v1/query_range", "parse error at line 1\n", status=400)
    with cluster.client() as client, pytest.raises(CommandError, match=r"at line 1$"):
        client.log_lines("{", 0, 10)


def test_a_server_that_is_not_ready_is_down(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", "Service Unavailable", status=503)
    with cluster.client() as client, pytest.raises(ServerDownError) as error:
        client.query("up")
    assert str(error.value) == (
        "prometheus is down (Service Unavailable): see `kubectl --namespace monitoring get pods`"
    )


def test_a_query_that_times_out_is_rejected_by_a_running_server(cluster: Cluster) -> None:
    body = {"status": "error", "error": "query timed out in expression evaluation"}
    cluster.respond(PROMETHEUS, "/api/v1/query", body, status=503)
    with cluster.client() as client, pytest.raises(CommandError, match="rejects the query: query"):
        client.query("up")


def test_a_port_forward_is_started_by_the_first_query_and_kept(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", vector())
    cluster.respond(LOKI, "/loki/api/v1/query_range", {"data": {"result": []}})
    with cluster.client() as client:
        client.query("up")
        client.query("up")
        assert [one.server for one in cluster.forwards()] == ["prometheus:9090"]
        client.query_logs("{}", 0, 1, "backward")
        assert [one.server for one in cluster.forwards()] == ["prometheus:9090", "loki:3100"]


def test_the_port_is_closed_at_the_end(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", vector())
    with cluster.client() as client:
        client.query("up")
        (forward,) = cluster.forwards()
        assert forward.is_open()
    assert not forward.is_open()
    with pytest.raises(ProcessLookupError):
        os.kill(forward.process, 0)


def test_a_new_port_forward_is_started_if_the_pod_was_replaced(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", vector(({}, 1)))
    with cluster.client() as client:
        client.query("up")
        (first,) = cluster.forwards()
        os.kill(first.process, signal.SIGKILL)
        assert [one.value for one in client.query("up")] == [1]
    assert len(cluster.forwards()) == 2


def test_a_server_that_closes_every_connection_is_down_until_it_responds(cluster: Cluster) -> None:
    cluster.respond(PROMETHEUS, "/api/v1/query", "", status=0)
    with cluster.client() as client:
        with pytest.raises(ServerDownError, match="its pod does not respond"):
            client.query("up")
        assert len(cluster.forwards()) == 2
        cluster.respond(PROMETHEUS, "/api/v1/query", vector(({}, 1)))
        assert [one.value for one in client.query("up")] == [1]


def test_a_server_that_does_not_respond_in_time_is_down(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.observability_client.TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, cluster.client() as client:
        port = silent.getsockname()[1]
        monkeypatch.setattr(PortForward, "port", port)
        with pytest.raises(ServerDownError, match=r"no response within 0.2 s"):
            client.query("up")


def test_the_context_is_passed_to_kubectl(cluster: Cluster) -> None:
    stack = settings(cluster={"context": "prod"}, observability={"mode": "bundled"})
    cluster.respond(PROMETHEUS, "/api/v1/query", vector())
    with ObservabilityClient(stack, cluster.client().environment) as client:
        client.query("up")
    (call,) = cluster.calls()
    assert call[:2] == ["--context", "prod"]


def test_a_missing_kubeconfig_is_an_error(cluster: Cluster) -> None:
    client = cluster.client()
    client.environment["KUBECONFIG"] = "/nowhere/config"
    with pytest.raises(CommandError, match="there is no cluster"):
        client.__enter__()


@pytest.mark.parametrize(("mode", "said"), [("off", "is off"), ("operator", "is operator")])
def test_a_stack_without_servers_is_an_error_that_has_the_key(mode: str, said: str) -> None:
    with pytest.raises(CommandError, match=f"observability.mode in Pulumi.dev.yaml {said}"):
        check_mode(settings(observability={"mode": mode}), "dev")


def test_a_stack_with_servers_is_accepted() -> None:
    check_mode(settings(observability={"mode": "bundled"}), "dev")
