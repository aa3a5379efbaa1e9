"""`make dashboards`, with a fake `kubectl port-forward`."""

import base64
import json
from argparse import ArgumentParser, Namespace
from unittest.mock import Mock

import pytest
from rich.console import Console

from commands import dashboards
from commands.errors import FAILED, CommandError
from commands.port_forward import PortForward
from components.observability.addresses import GRAFANA, PROMETHEUS
from tests.unit.commands.fake_kubectl import Cluster, printed

PASSWORD = "correct horse"


def given(**options: str) -> Namespace:
    parser = ArgumentParser()
    dashboards.add_arguments(parser)
    parser.add_argument("--stack", default="dev")
    return parser.parse_args(
        [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    )


def show(cluster: Cluster, console: Console, *, grafana: bool = True, **options: str) -> str:
    with cluster.client(grafana={"enabled": grafana}) as client:
        dashboards.show(client, given(**options), console)
    return printed(console)


@pytest.fixture(autouse=True)
def answers(cluster: Cluster) -> None:
    cluster.respond(GRAFANA, "/login", "<html>")
    secret = {"data": {"password": base64.b64encode(PASSWORD.encode()).decode()}}
    cluster.kubectl_prints("get", json.dumps(secret))


@pytest.fixture(autouse=True)
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user presses Ctrl-C at once."""
    monkeypatch.setattr(PortForward, "wait", Mock(side_effect=KeyboardInterrupt))


def test_grafana_is_forwarded_to_this_machine_only(cluster: Cluster, console: Console) -> None:
    text = show(cluster, console)
    (forward,) = cluster.forwards()
    assert f"http://127.0.0.1:{forward.port}/login" in text
    assert not forward.is_open()
    (call,) = cluster.calls()
    assert call[-2:] == ["service/grafana", "3000:3000"]
    assert call[call.index("--address") + 1] == "127.0.0.1"


def test_the_password_is_not_read_by_default(cluster: Cluster, console: Console) -> None:
    text = show(cluster, console)
    assert PASSWORD not in text
    assert "SHOW_PASSWORD=1" in text
    assert not [call for call in cluster.calls() if "secret" in call]


def test_the_password_is_shown_with_show_password(cluster: Cluster, console: Console) -> None:
    assert f"user admin, password {PASSWORD}" in show(cluster, console, show_password="1")


def test_the_local_port_can_be_set(cluster: Cluster, console: Console) -> None:
    show(cluster, console, port="4000")
    assert cluster.calls()[0][-1] == "4000:3000"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "\u0663\u0660", "²"])
def test_an_invalid_port_is_refused(cluster: Cluster, console: Console, port: str) -> None:
    with pytest.raises(CommandError, match=f"PORT={port}"):
        show(cluster, console, port=port)


def test_a_port_in_use_is_an_error(cluster: Cluster, console: Console) -> None:
    said = "unable to listen on port 3000: bind: address already in use"
    cluster.kubectl_prints("port-forward", "", said, 1)
    with pytest.raises(CommandError, match="cannot forward port 3000, use another PORT"):
        show(cluster, console)


def test_without_grafana_the_message_has_the_key_and_the_alternatives(
    cluster: Cluster, console: Console
) -> None:
    with pytest.raises(CommandError) as error:
        show(cluster, console, grafana=False)
    for part in ("observability.grafana.enabled in Pulumi.dev.yaml", "SERVER=prometheus"):
        assert part in str(error.value)


def test_other_servers_have_a_web_ui(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, "/query", "<html>")
    text = show(cluster, console, grafana=False, server="prometheus")
    assert f"http://127.0.0.1:{cluster.forwards()[0].port}/query" in text
    assert "password" not in text


def test_a_server_without_a_web_ui_is_an_error(cluster: Cluster, console: Console) -> None:
    cluster.respond(PROMETHEUS, "/query", "404 page not found", status=404)
    with pytest.raises(CommandError, match="this prometheus has no web UI"):
        show(cluster, console, server="prometheus")


def test_a_server_that_is_down_is_an_error(cluster: Cluster, console: Console) -> None:
    cluster.kubectl_prints("port-forward", "", "error: timed out waiting for the condition", 1)
    with pytest.raises(CommandError, match="grafana is down"):
        show(cluster, console)


def test_a_port_forward_that_ends_before_ctrl_c_is_a_failure(
    cluster: Cluster, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PortForward, "wait", PortForward.end)
    with pytest.raises(CommandError, match="the port-forward to grafana has ended") as error:
        show(cluster, console)
    assert error.value.exit_code == FAILED


def test_an_unknown_server_is_refused(cluster: Cluster, console: Console) -> None:
    with pytest.raises(CommandError, match="SERVER=loki: use grafana, prometheus"):
        show(cluster, console, server="loki")
