"""`kubectl port-forward`, with a fake kubectl."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from commands.errors import BAD_INPUT, FAILED, CommandError
from commands.port_forward import PortForward, ServerDownError
from components.observability.addresses import LOKI
from tests.unit.commands.fake_kubectl import Cluster

KUBECTL = ("kubectl", "--context", "prod", "--namespace", "monitoring")
HANGS = "#!/bin/sh\nexec sleep 60\n"


@contextmanager
def forward(cluster: Cluster, port: int = 0) -> Iterator[PortForward]:
    forwarding = PortForward(LOKI, KUBECTL, cluster.client().environment, port)
    try:
        yield forwarding
    finally:
        forwarding.end()


def test_kubectl_selects_a_port_of_the_loopback_interface(cluster: Cluster) -> None:
    with forward(cluster) as forwarding:
        assert forwarding.port == cluster.forwards()[0].port
    (call,) = cluster.calls()
    assert call == [
        *(*KUBECTL[1:], "port-forward", "--address", "127.0.0.1", "--pod-running-timeout=5s"),
        *("service/loki", ":3100"),
    ]


def test_the_local_port_can_be_set(cluster: Cluster) -> None:
    with forward(cluster, 4000) as forwarding:
        assert forwarding.port
    assert cluster.calls()[0][-1] == "4000:3100"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            'Error from server (NotFound): services "loki" not found',
            r"^there is no loki \(.* not found\): run `make up`$",
        ),
        (
            "The connection to the server 127.0.0.1:6443 was refused",
            r"^the cluster does not respond \(.* refused\): see `make local-status`$",
        ),
        ("error: context was not found", "^cannot reach loki: context was not found$"),
        ('error: pods "loki-0" is forbidden', '^cannot reach loki: pods "loki-0" is forbidden$'),
    ],
)
def test_an_error_of_kubectl_is_in_the_message(cluster: Cluster, said: str, message: str) -> None:
    cluster.kubectl_prints("port-forward", "", said, 1)
    with forward(cluster) as forwarding, pytest.raises(CommandError, match=message) as error:
        _ = forwarding.port
    assert error.value.exit_code == BAD_INPUT
    assert not isinstance(error.value, ServerDownError)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("error: timed out waiting for the condition", "it has no pod"),
        ("error: unable to forward port because pod is not running. Current status=Pending",) * 2,
    ],
)
def test_a_server_without_a_running_pod_is_down(cluster: Cluster, said: str, reason: str) -> None:
    cluster.kubectl_prints("port-forward", "", said, 1)
    with forward(cluster) as forwarding, pytest.raises(ServerDownError) as error:
        _ = forwarding.port
    pods = "kubectl --context prod --namespace monitoring get pods"
    assert str(error.value) == f"loki is down ({reason.removeprefix('error: ')}): see `{pods}`"


def test_a_cluster_that_does_not_respond_is_an_error_after_a_timeout(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.port_forward.START_SECONDS", 0.2)
    (cluster.folder / "kubectl").write_text(HANGS)
    with forward(cluster) as forwarding:
        with pytest.raises(CommandError, match="the cluster did not respond") as error:
            _ = forwarding.port
        assert error.value.exit_code == FAILED
        assert not forwarding.is_running


def test_a_missing_kubectl_is_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="kubectl is not in PATH"):
        PortForward(LOKI, KUBECTL, {"PATH": str(tmp_path)})


def test_the_port_stays_open_for_many_connections(cluster: Cluster) -> None:
    """kubectl prints a line for each connection, more than a pipe holds."""
    kubectl = cluster.folder / "kubectl"
    kubectl.write_text(kubectl.read_text().replace('"Handling', '"x" * 40_000 + "Handling'))
    cluster.respond(LOKI, "/ready", "yes")
    with forward(cluster) as forwarding:
        for _ in range(4):
            connection = HTTPConnection("127.0.0.1", forwarding.port, timeout=5)
            connection.request("GET", "/ready?")
            assert connection.getresponse().status == 200
            connection.close()


def test_it_ends_with_the_pod(cluster: Cluster) -> None:
    cluster.respond(LOKI, "/ready", "", status=0)
    with forward(cluster) as forwarding:
        connection = HTTPConnection("127.0.0.1", forwarding.port, timeout=5)
        connection.request("GET", "/ready?")
        forwarding.wait()
        connection.close()
        assert forwarding.last_line == "error: lost connection to pod"
        assert not forwarding.is_running


def test_a_kubectl_that_ignores_termination_is_killed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.port_forward._END_SECONDS", 0.2)
    kubectl = cluster.folder / "kubectl"
    kubectl.write_text(
        "#!/bin/sh\ntrap '' TERM\necho 'Forwarding from 127.0.0.1:1 -> 2'\nwhile :; do :; done\n"
    )
    forwarding = PortForward(LOKI, KUBECTL, cluster.client().environment)
    assert forwarding.port == 1
    start = time.monotonic()
    forwarding.end()
    assert not forwarding.is_running
    assert time.monotonic() - start < 3
