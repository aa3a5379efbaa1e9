"""Annotations, created through a fake `kubectl port-forward` to a server with Grafana's API."""

import base64
import json
from typing import cast

import pytest

from commands.notifications import Notifier, VersionChange
from commands.pulumi import Stack
from components.observability.addresses import GRAFANA
from components.observability.dashboards import all_dashboards
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.commands.notifications.conftest import FakeStack
from tests.unit.components.observability.servers import args_of

PASSWORD = "correct horse"
CHANGE = VersionChange("beacon", "1.1.0", "1.0.0")
ANNOTATIONS = "/api/annotations"


def release(cluster: Cluster, *, grafana: bool = True, mode: str = "bundled") -> None:
    """Run a release that is promoted and then rolled back."""
    secret = {"data": {"password": base64.b64encode(PASSWORD.encode()).decode()}}
    cluster.kubectl_prints("get", json.dumps(secret))
    client = cluster.client(mode=mode, grafana={"enabled": grafana})
    with Notifier(client.settings, cast(Stack, FakeStack({})), client.environment) as notifier:
        notifier.started(CHANGE, weight=10)
        notifier.stepped(CHANGE, 50)
        notifier.promoted(CHANGE)
        notifier.rolled_back(CHANGE, reason="error ratio 6.8 %, at most 1 %")


def test_promotions_and_rollbacks_are_annotations_that_the_dashboards_show(
    cluster: Cluster,
) -> None:
    created = {"message": "Annotation added", "id": 1}
    cluster.respond(GRAFANA, ANNOTATIONS, created)
    release(cluster)
    promotion, rollback = (body for _, body in cluster.posts())
    assert promotion["text"] == "beacon 1.1.0: promoted. It replaces 1.0.0"
    assert rollback["text"].endswith("rolled back to 1.0.0. error ratio 6.8 %, at most 1 %")
    assert 0 <= rollback["time"] - promotion["time"] < 60_000
    for file in ("overview.json", "service.json"):
        dashboard = json.loads(all_dashboards(args_of(cluster.client().settings))[file])
        (query,) = (
            one
            for one in dashboard["annotations"]["list"]
            if one["datasource"] == {"type": "grafana", "uid": "-- Grafana --"}
        )
        shown = [tag.replace("$service", "beacon") for tag in query["target"]["tags"]]
        assert {*shown} <= {*promotion["tags"]} & {*rollback["tags"]}


def test_grafanas_password_is_only_in_the_header(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.respond(GRAFANA, ANNOTATIONS, "unauthorized", status=401)
    release(cluster)
    credentials, _ = cluster.posts()[0]
    assert base64.b64decode(credentials.removeprefix("Basic ")).decode() == f"admin:{PASSWORD}"
    assert PASSWORD not in str(cluster.calls())
    output = capsys.readouterr()
    line = "notifications: Grafana did not get 2 of the events: status 401\n"
    assert (output.out, output.err) == (line, "")


def test_a_grafana_that_is_down_is_one_line(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.kubectl_prints("port-forward", "", "error: timed out waiting for the condition", 1)
    release(cluster)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("notifications: Grafana did not get 2 of the events: grafana is down")


def test_port_forwards_end_with_the_command(cluster: Cluster) -> None:
    cluster.respond(GRAFANA, ANNOTATIONS, {})
    release(cluster)
    assert not any(forward.is_open() for forward in cluster.forwards())


@pytest.mark.parametrize(("grafana", "mode"), [(False, "bundled"), (True, "operator")])
def test_without_an_own_grafana_nothing_is_called(
    cluster: Cluster, grafana: bool, mode: str
) -> None:
    release(cluster, grafana=grafana, mode=mode)
    assert not (cluster.folder / "calls").exists()
