"""The servers of a stack, asked through port-forwards."""

import math
import os
import signal
import socket

import pytest

from commands.errors import BAD_INPUT, CommandError
from commands.monitoring import Monitoring, check_mode, period
from commands.port_forward import PortForward, ServerDownError
from components.observability.addresses import LOKI, PROMETHEUS
from tests.unit.commands.cluster import Cluster, matrix, vector
from tests.unit.stacks import settings


def test_a_vector_has_one_value_for_each_series(cluster: Cluster) -> None:
    body = vector(({"track": "stable"}, 2), ({"track": "canary"}, math.nan))
    cluster.answer(PROMETHEUS, "/api/v1/query", body)
    with cluster.monitoring() as monitoring:
        stable, canary = monitoring.now("up")
    assert (stable.labels, stable.value) == ({"track": "stable"}, 2)
    assert math.isnan(canary.value)
    assert cluster.asked() == [{"query": "up"}]


def test_a_scalar_is_a_series_without_labels(cluster: Cluster) -> None:
    data = {"resultType": "scalar", "result": [1, "42"]}
    cluster.answer(PROMETHEUS, "/api/v1/query", {"data": data})
    with cluster.monitoring() as monitoring:
        (answer,) = monitoring.now("42")
    assert (answer.labels, answer.value) == ({}, 42)


def test_a_series_over_time_has_its_newest_value_last(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query_range", matrix(({}, [1, 2, 3])))
    with cluster.monitoring() as monitoring:
        (series,) = monitoring.over("up", 3600)
    assert (series.values, series.value) == ((1, 2, 3), 3)
    (asked,) = cluster.asked()
    assert int(asked["end"]) - int(asked["start"]) == 3600
    assert asked["step"] == "60"


def test_lines_of_many_streams_come_in_the_order_of_time(cluster: Cluster) -> None:
    streams = [
        {"stream": {"level": "info"}, "values": [["3", "c"], ["1", "a"]]},
        {"stream": {"level": "error"}, "values": [["2", "b"]]},
    ]
    data = {"data": {"resultType": "streams", "result": streams}}
    cluster.answer(LOKI, "/loki/api/v1/query_range", data)
    with cluster.monitoring() as monitoring:
        lines = monitoring.lines("{}", 0, 10)
    assert [line.text for line in lines] == ["a", "b", "c"]
    assert lines[1].labels == {"level": "error"}


def test_a_query_for_numbers_is_no_query_for_lines(cluster: Cluster) -> None:
    data = {"data": {"resultType": "matrix", "result": []}}
    cluster.answer(LOKI, "/loki/api/v1/query_range", data)
    with cluster.monitoring() as monitoring, pytest.raises(CommandError, match="not for lines"):
        monitoring.lines("rate({}[1m])", 0, 10)


def test_what_a_server_says_of_a_wrong_query_reaches_the_user(cluster: Cluster) -> None:
    body = {"status": "error", "error": 'parse error: unexpected "("'}
    cluster.answer(PROMETHEUS, "/api/v1/query", body, status=400)
    with cluster.monitoring() as monitoring, pytest.raises(CommandError) as error:
        monitoring.now("up(")
    assert str(error.value) == 'prometheus refuses: parse error: unexpected "("'
    assert error.value.exit_code == BAD_INPUT


def test_loki_says_it_in_plain_text(cluster: Cluster) -> None:
    cluster.answer(LOKI, "/loki/api/v1/query_range", "parse error at line 1\n", status=400)
    with cluster.monitoring() as monitoring, pytest.raises(CommandError, match=r"at line 1$"):
        monitoring.lines("{", 0, 10)


def test_a_server_that_is_not_ready_is_down(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query", "Service Unavailable", status=503)
    with cluster.monitoring() as monitoring, pytest.raises(ServerDownError) as error:
        monitoring.now("up")
    assert str(error.value) == (
        "prometheus is down (Service Unavailable): see `kubectl --namespace monitoring get pods`"
    )


def test_a_query_that_takes_too_long_is_refused_by_a_server_that_is_there(cluster: Cluster) -> None:
    body = {"status": "error", "error": "query timed out in expression evaluation"}
    cluster.answer(PROMETHEUS, "/api/v1/query", body, status=503)
    with cluster.monitoring() as monitoring, pytest.raises(CommandError, match="refuses: query"):
        monitoring.now("up")


def test_a_server_is_reached_when_it_is_first_asked_and_stays_so(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query", vector())
    cluster.answer(LOKI, "/loki/api/v1/query_range", {"data": {"result": []}})
    with cluster.monitoring() as monitoring:
        monitoring.now("up")
        monitoring.now("up")
        assert [one.server for one in cluster.forwards()] == ["prometheus:9090"]
        monitoring.has_logs("{}", 0)
        assert [one.server for one in cluster.forwards()] == ["prometheus:9090", "loki:3100"]


def test_no_port_stays_open(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query", vector())
    with cluster.monitoring() as monitoring:
        monitoring.now("up")
        (forward,) = cluster.forwards()
        assert forward.is_open()
    assert not forward.is_open()
    with pytest.raises(ProcessLookupError):
        os.kill(forward.process, 0)


def test_a_server_whose_pod_was_replaced_is_reached_anew(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query", vector(({}, 1)))
    with cluster.monitoring() as monitoring:
        monitoring.now("up")
        (first,) = cluster.forwards()
        os.kill(first.process, signal.SIGKILL)
        assert [one.value for one in monitoring.now("up")] == [1]
    assert len(cluster.forwards()) == 2


def test_a_server_that_closes_every_connection_is_down_until_it_answers(cluster: Cluster) -> None:
    cluster.answer(PROMETHEUS, "/api/v1/query", "", status=0)
    with cluster.monitoring() as monitoring:
        with pytest.raises(ServerDownError, match="its pod does not answer"):
            monitoring.now("up")
        assert len(cluster.forwards()) == 2
        cluster.answer(PROMETHEUS, "/api/v1/query", vector(({}, 1)))
        assert [one.value for one in monitoring.now("up")] == [1]


def test_a_server_that_does_not_answer_in_time_is_down(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.monitoring.ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, cluster.monitoring() as monitoring:
        port = silent.getsockname()[1]
        monkeypatch.setattr(PortForward, "port", port)
        with pytest.raises(ServerDownError, match=r"no answer in 0.2 s"):
            monitoring.now("up")


def test_a_stack_that_names_its_cluster_is_asked_for_there(cluster: Cluster) -> None:
    stack = settings(cluster={"context": "prod"}, observability={"mode": "bundled"})
    cluster.answer(PROMETHEUS, "/api/v1/query", vector())
    with Monitoring(stack, cluster.monitoring().environment) as monitoring:
        monitoring.now("up")
    (call,) = cluster.calls()
    assert call[:2] == ["--context", "prod"]


def test_without_a_cluster_that_is_what_is_said(cluster: Cluster) -> None:
    monitoring = cluster.monitoring()
    monitoring.environment["KUBECONFIG"] = "/nowhere/config"
    with pytest.raises(CommandError, match="there is no cluster"):
        monitoring.__enter__()


@pytest.mark.parametrize(("mode", "said"), [("off", "is off"), ("operator", "is operator")])
def test_a_stack_without_servers_says_which_key_is_why(mode: str, said: str) -> None:
    with pytest.raises(CommandError, match=f"observability.mode in Pulumi.dev.yaml {said}"):
        check_mode(settings(observability={"mode": mode}), "dev")


def test_a_stack_with_servers_passes() -> None:
    check_mode(settings(observability={"mode": "bundled"}), "dev")


def test_periods_are_a_number_and_a_unit() -> None:
    assert [period(text, "SINCE") for text in ("90s", "15m", "2h", "7d")] == [
        90,
        900,
        7200,
        604800,
    ]


@pytest.mark.parametrize("text", ["", "15", "m", "0m", "1.5h", "-1h", "1w", "1h\n"])
def test_other_periods_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="SINCE="):
        period(text, "SINCE")
