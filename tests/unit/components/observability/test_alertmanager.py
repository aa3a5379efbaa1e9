"""Who is told, and that their URLs stay secret."""

from typing import Any

from components.observability.alertmanager import Alertmanager
from tests.unit.components.observability.made import config, container, made

URL = "https://hooks.example.com/secret"


def of(**alerts: Any) -> dict[str, Any]:
    return config(made(Alertmanager, alerts=alerts), "alertmanager.yaml")


def receiver(of_config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in of_config["receivers"] if one["name"] == name)
    return found


def test_pages_and_tickets_go_to_receivers_of_their_own() -> None:
    routes = of()["route"]["routes"]
    assert {"receiver": "page", "matchers": ['severity="page"']} in routes
    assert {"receiver": "ticket", "matchers": ['severity="ticket"']} in routes


def test_every_route_has_a_receiver_even_if_nobody_is_told() -> None:
    configured = of()
    routes = [configured["route"], *configured["route"]["routes"]]
    assert {route["receiver"] for route in routes} == {
        one["name"] for one in configured["receivers"]
    }
    assert receiver(configured, "page") == {"name": "page"}


def test_urls_are_in_a_secret_and_the_configuration_names_their_files() -> None:
    alerts = {
        "page": {"webhook": URL, "slack": URL},
        "ticket": {"slack": URL},
        "heartbeat": URL,
    }
    registry = made(Alertmanager, alerts=alerts)
    names = {"page-webhook", "page-slack", "ticket-slack", "heartbeat"}
    assert registry.secret() == dict.fromkeys(names, URL)
    text = registry.one("ConfigMap")["data"]["alertmanager.yaml"]
    assert URL not in text
    assert all(f"/run/secrets/server/{name}" in text for name in names)


def test_a_ticket_is_held_back_while_a_page_says_the_same() -> None:
    (rule,) = of()["inhibit_rules"]
    assert rule["source_matchers"] == ['severity="page"']
    assert rule["target_matchers"] == ['severity="ticket"']
    assert rule["equal"] == ["alertname", "namespace", "service"]


def test_the_heartbeat_is_sent_every_minute_and_never_resolved() -> None:
    configured = of(heartbeat=URL)
    (route,) = (one for one in configured["route"]["routes"] if one["receiver"] == "heartbeat")
    assert route["matchers"] == ['alertname="Watchdog"']
    assert (route["group_interval"], route["repeat_interval"]) == ("30s", "45s")
    (webhook,) = receiver(configured, "heartbeat")["webhook_configs"]
    assert webhook["send_resolved"] is False


def test_groups_wait_and_repeat_as_the_settings_say() -> None:
    route = of(groupWaitSeconds=3, repeatIntervalHours=5)["route"]
    assert route["group_wait"] == "3s"
    assert route["repeat_interval"] == "5h"


def test_it_reaches_nobody_until_somebody_is_told() -> None:
    silent = made(Alertmanager).one("NetworkPolicy")["spec"]
    assert silent["egress"] == []
    told = made(Alertmanager, alerts={"heartbeat": URL}).one("NetworkPolicy")["spec"]
    assert {} in told["egress"]


def test_it_listens_for_no_cluster() -> None:
    args = container(made(Alertmanager), "StatefulSet")["args"]
    assert "--cluster.listen-address=" in args
