"""The servers of a stack, asked through the API server."""

import math
from pathlib import Path

import pytest

from commands.errors import BAD_INPUT, CommandError
from commands.monitoring import Monitoring, check_mode, period
from components.observability.addresses import LOKI, PROMETHEUS
from tests.unit.commands.cluster import Cluster, matrix, vector
from tests.unit.stacks import settings

STATUS = {"kind": "Status", "apiVersion": "v1"}


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


@pytest.mark.parametrize(
    ("status", "said", "advice"),
    [
        (404, 'services "prometheus" not found', "run `make up`"),
        (503, 'no endpoints available for service "prometheus"', "monitoring get pods"),
        (403, "services is forbidden", "cannot reach prometheus: services is forbidden"),
    ],
)
def test_a_server_that_is_not_there_is_named(
    cluster: Cluster, status: int, said: str, advice: str
) -> None:
    body = {**STATUS, "message": said}
    cluster.answer(PROMETHEUS, "/api/v1/query", body, status=status)
    with cluster.monitoring() as monitoring, pytest.raises(CommandError) as error:
        monitoring.now("up")
    assert said in str(error.value)
    assert advice in str(error.value)
    assert error.value.exit_code == BAD_INPUT


def test_nothing_but_reads_of_the_servers_is_handed_on(cluster: Cluster) -> None:
    with cluster.monitoring():
        pass
    (call,) = cluster.calls()
    assert "--accept-paths=^/api/v1/namespaces/monitoring/services/.*" in call
    assert "--reject-methods=POST,PUT,PATCH,DELETE" in call
    assert not [word for word in call if word.startswith("--port")]


def test_the_proxy_and_its_folder_end_with_the_command(cluster: Cluster) -> None:
    with cluster.monitoring():
        (call,) = cluster.calls()
        socket = Path(next(word.partition("=")[2] for word in call if "unix-socket" in word))
        assert socket.exists()
        assert socket.parent.stat().st_mode & 0o077 == 0
    assert not socket.parent.exists()


def test_a_stack_that_names_its_cluster_is_asked_for_there(cluster: Cluster) -> None:
    stack = settings(cluster={"context": "prod"}, observability={"mode": "bundled"})
    with Monitoring(stack, cluster.monitoring().environment):
        pass
    (call,) = cluster.calls()
    assert call[:2] == ["--context", "prod"]


def test_without_kubectl_that_is_what_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no kubectl"):
        Monitoring(settings(), {"PATH": str(tmp_path)}).__enter__()


def test_without_a_cluster_that_is_what_is_said(cluster: Cluster) -> None:
    monitoring = cluster.monitoring()
    monitoring.environment["KUBECONFIG"] = "/nowhere/config"
    with pytest.raises(CommandError, match="there is no cluster"):
        monitoring.__enter__()


def test_why_the_proxy_does_not_start_is_said(cluster: Cluster) -> None:
    (cluster.folder / "kubectl").write_text("#!/bin/sh\necho no such context >&2\nexit 1\n")
    with pytest.raises(CommandError, match="no such context"):
        cluster.monitoring().__enter__()


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
