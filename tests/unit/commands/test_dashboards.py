"""`make dashboards`."""

import base64
import json
from argparse import ArgumentParser, Namespace

import pytest
from rich.console import Console

from commands import dashboards
from commands.errors import CommandError
from components.observability.addresses import GRAFANA, PROMETHEUS
from tests.unit.commands.cluster import Cluster, printed

PASSWORD = "correct horse"


def given(**options: str) -> Namespace:
    parser = ArgumentParser()
    dashboards.add_arguments(parser)
    parser.add_argument("--stack", default="dev")
    return parser.parse_args(
        [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    )


def show(cluster: Cluster, console: Console, *, grafana: bool = True, **options: str) -> str:
    with cluster.monitoring(grafana={"enabled": grafana}) as monitoring:
        dashboards.show(monitoring, given(**options), console)
    return printed(console)


@pytest.fixture(autouse=True)
def answers(cluster: Cluster) -> None:
    cluster.answer(GRAFANA, "/login", "<html>")
    secret = {"data": {"password": base64.b64encode(PASSWORD.encode()).decode()}}
    said = {"out": json.dumps(secret), "error": "", "code": 0}
    forwarding = {"out": "Forwarding from 127.0.0.1:3000", "error": "", "code": 0}
    (cluster.folder / "says").write_text(json.dumps({"get": said, "port-forward": forwarding}))


def test_grafana_is_forwarded_to_this_machine_only(cluster: Cluster, console: Console) -> None:
    assert "http://127.0.0.1:3000/login" in show(cluster, console)
    call = next(call for call in cluster.calls() if "port-forward" in call)
    assert call == [
        *("--namespace", "monitoring", "port-forward", "--address", "127.0.0.1"),
        *("service/grafana", "3000:3000"),
    ]


def test_the_password_is_not_even_read_unless_it_is_asked_for(
    cluster: Cluster, console: Console
) -> None:
    text = show(cluster, console)
    assert PASSWORD not in text
    assert "SHOW_PASSWORD=1" in text
    assert not [call for call in cluster.calls() if "secret" in call]


def test_the_password_is_shown_when_it_is_asked_for(cluster: Cluster, console: Console) -> None:
    assert f"user admin, password {PASSWORD}" in show(cluster, console, show_password="1")


def test_another_port_can_be_asked_for(cluster: Cluster, console: Console) -> None:
    assert "http://127.0.0.1:4000/login" in show(cluster, console, port="4000")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_what_is_no_port_is_refused(cluster: Cluster, console: Console, port: str) -> None:
    with pytest.raises(CommandError, match=f"PORT={port}"):
        show(cluster, console, port=port)


def test_a_port_that_is_taken_is_said_to_be(cluster: Cluster, console: Console) -> None:
    cluster.says("port-forward", "", "address already in use", 1)
    # A command that prints nothing leaves an empty line in the stand-in's output.
    kubectl = cluster.folder / "kubectl"
    kubectl.write_text(kubectl.read_text().replace('print(said["out"], flush=True)', ""))
    with pytest.raises(CommandError, match="PORT= takes another one: address already in use"):
        show(cluster, console)


def test_where_grafana_is_off_the_key_and_other_ways_are_named(
    cluster: Cluster, console: Console
) -> None:
    with pytest.raises(CommandError) as error:
        show(cluster, console, grafana=False)
    for part in ("observability.grafana.enabled in Pulumi.dev.yaml", "SERVER=prometheus"):
        assert part in str(error.value)


def test_other_servers_have_pages_too(cluster: Cluster, console: Console) -> None:
    cluster.answer(PROMETHEUS, "/query", "<html>")
    text = show(cluster, console, grafana=False, server="prometheus")
    assert "http://127.0.0.1:9090/query" in text
    assert "password" not in text


def test_a_server_that_was_built_without_pages_says_so(cluster: Cluster, console: Console) -> None:
    cluster.answer(PROMETHEUS, "/query", "404 page not found", status=404)
    with pytest.raises(CommandError, match="this prometheus has no pages"):
        show(cluster, console, server="prometheus")


def test_a_server_that_is_down_says_so(cluster: Cluster, console: Console) -> None:
    body = {"kind": "Status", "message": "no endpoints available"}
    cluster.answer(GRAFANA, "/login", body, status=503)
    with pytest.raises(CommandError, match="grafana is down"):
        show(cluster, console)


def test_an_unknown_server_is_refused(cluster: Cluster, console: Console) -> None:
    with pytest.raises(CommandError, match="SERVER=loki: use grafana, prometheus"):
        show(cluster, console, server="loki")
