"""`make alerts`, with responses of Prometheus and Alertmanager given by the tests."""

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from commands import alerts
from components.observability.addresses import ALERTMANAGER, PROMETHEUS
from settings import AlertsSettings
from tests.unit.commands.fake_kubectl import Cluster, printed

SECRET = {"secure": "v1:T0ken"}


def alert(name: str, severity: str, state: str = "firing", **since: float) -> dict[str, Any]:
    start = datetime.now(UTC) - timedelta(**since)
    return {
        "labels": {"alertname": name, "severity": severity},
        "annotations": {
            "summary": f"{name} happened",
            "runbook_url": f"https://example.com/slipway/docs/runbooks/{name}.md",
        },
        "state": state,
        "activeAt": start.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
    }


WATCHDOG = alert("Watchdog", "none", days=2)


def show(
    cluster: Cluster,
    console: Console,
    *active: dict[str, Any],
    silenced: tuple[dict[str, Any], ...] = (),
    service: str = "",
    **settings: Any,
) -> str:
    cluster.respond(PROMETHEUS, "/api/v1/alerts", {"data": {"alerts": list(active)}})
    held = [
        {
            "labels": one["labels"],
            "status": {"state": "suppressed" if one in silenced else "active"},
        }
        for one in active
    ]
    cluster.respond(ALERTMANAGER, "/api/v2/alerts", held)
    with cluster.client(**settings) as client:
        alerts.show(client, Namespace(service=service), console)
    return printed(console)


def test_without_alerts_the_dead_mans_switch_is_shown(cluster: Cluster, console: Console) -> None:
    text = show(cluster, console, WATCHDOG)
    assert "no alert is firing" in text
    assert "the dead man's switch has been firing for 2 d" in text
    assert "Watchdog" not in text


def test_a_silent_dead_mans_switch_is_an_error(cluster: Cluster, console: Console) -> None:
    assert "alerting is broken" in show(cluster, console)


def test_an_alert_has_severity_state_duration_summary_and_runbook(
    cluster: Cluster, console: Console
) -> None:
    text = show(cluster, console, WATCHDOG, alert("TargetDown", "page", minutes=65))
    (line,) = (line for line in text.splitlines() if "TargetDown" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        *("page", "TargetDown", "-", "firing", "1 h 5 min"),
        *("TargetDown happened", "docs/runbooks/TargetDown.md"),
    ]
    assert "no alert is firing" not in text


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (
            {"namespace": "monitoring", "persistentvolumeclaim": "prometheus"},
            "monitoring/prometheus",
        ),
        ({"namespace": "shop", "service": "api", "pod": "api-stable-1"}, "shop/api-stable-1"),
        (
            {"namespace": "shop", "service": "api", "deployment": "api-stable", "owner": "team-a"},
            "shop/api-stable",
        ),
        (
            {"namespace": "shop", "service": "api", "sli": "latency", "window": "1h"},
            "shop/api sli=latency",
        ),
        ({"node": "node-1", "condition": "DiskPressure"}, "node-1 condition=DiskPressure"),
        ({"job": "kubelet"}, "job=kubelet"),
        ({}, "-"),
    ],
)
def test_an_alert_names_its_object(labels: dict[str, str], named: str) -> None:
    assert alerts.object_of({"alertname": "It", "severity": "page", **labels}) == named


def test_alerts_of_one_service_can_be_selected(cluster: Cluster, console: Console) -> None:
    of_service = alert("ServicePanics", "ticket", minutes=1)
    of_service["labels"]["service"] = "beacon"
    text = show(cluster, console, of_service, alert("TargetDown", "page"), service="beacon")
    assert "ServicePanics" in text
    assert "TargetDown" not in text


def test_firing_alerts_come_first_by_severity_and_start(cluster: Cluster, console: Console) -> None:
    text = show(
        cluster,
        console,
        alert("Waiting", "page", "pending", minutes=9),
        alert("Later", "ticket", minutes=3),
        alert("Newer", "page", minutes=1),
        alert("Older", "page", minutes=2),
    )
    places = [text.index(name) for name in ("Older", "Newer", "Later", "Waiting")]
    assert places == sorted(places)


def test_a_silenced_alert_is_marked(cluster: Cluster, console: Console) -> None:
    known = alert("Known", "page", minutes=5)
    text = show(cluster, console, known, alert("Other", "page", minutes=5), silenced=(known,))
    (line,) = (line for line in text.splitlines() if "Known" in line)
    assert "silenced" in line
    assert text.count("silenced") == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "page: none, ticket: none, heartbeat: none"),
        ({"page": {"webhook": SECRET}}, "page: webhook, ticket: none, heartbeat: none"),
        (
            {"page": {"webhook": SECRET, "slack": SECRET}, "ticket": {"slack": SECRET}},
            "page: webhook and slack, ticket: slack, heartbeat: none",
        ),
        (
            {"owners": {"team-a": {"page": {"slack": SECRET}}, "team-b": {}}},
            "page: none, ticket: none, team-a: page slack, team-b: none, heartbeat: none",
        ),
        ({"heartbeat": SECRET}, "page: none, ticket: none, heartbeat: webhook"),
    ],
)
def test_the_kinds_of_the_receivers_are_shown_without_their_urls(
    cluster: Cluster, console: Console, settings: dict[str, Any], said: str
) -> None:
    text = show(cluster, console, WATCHDOG, alerts=settings)
    assert said in text
    assert "T0ken" not in text


def test_settings_without_receivers_show_none() -> None:
    assert alerts.receivers(AlertsSettings()).count("none") == 3
