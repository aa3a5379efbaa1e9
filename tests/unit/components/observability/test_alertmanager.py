from typing import Any

from components.observability.alertmanager import Alertmanager
from tests.unit.components.observability.servers import config_file, deploy

URL = "https://hooks.example.com/secret"


def alertmanager_config(**alerts: Any) -> dict[str, Any]:
    return config_file(deploy(Alertmanager, alerts=alerts), "alertmanager.yaml")


def receiver(of_config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in of_config["receivers"] if one["name"] == name)
    return found


def test_every_route_has_a_receiver_even_without_urls() -> None:
    configured = alertmanager_config()
    routes = [configured["route"], *configured["route"]["routes"]]
    assert {route["receiver"] for route in routes} == {
        one["name"] for one in configured["receivers"]
    }
    assert receiver(configured, "page") == {"name": "page"}


def test_urls_of_receivers_are_only_in_the_secret() -> None:
    alerts = {
        "page": {"webhook": URL, "slack": URL},
        "ticket": {"slack": URL},
        "heartbeat": URL,
    }
    registry = deploy(Alertmanager, alerts=alerts)
    names = {"page-webhook", "page-slack", "ticket-slack", "heartbeat"}
    assert registry.secret() == dict.fromkeys(names, URL)
    text = registry.one("ConfigMap")["data"]["alertmanager.yaml"]
    assert URL not in text
    assert all(f"/run/secrets/server/{name}" in text for name in names)


def test_alerts_of_an_owners_services_reach_its_receivers_and_no_others() -> None:
    owners = {"team-a": {"page": {"webhook": f"{URL}/a"}}, "team-b": {}}
    alerts = {"page": {"webhook": URL}, "owners": owners}
    registry = deploy(Alertmanager, alerts=alerts)
    assert registry.secret() == {"page-webhook": URL, "owner-team-a-page-webhook": f"{URL}/a"}
    configured = config_file(registry, "alertmanager.yaml")
    routes = {
        route["matchers"][0]: [child["receiver"] for child in route["routes"]]
        for route in configured["route"]["routes"]
        if "routes" in route
    }
    assert routes == {
        'owner="team-a"': ["owner-team-a-page", "owner-team-a-ticket"],
        'owner="team-b"': ["owner-team-b-page", "owner-team-b-ticket"],
    }
    assert receiver(configured, "owner-team-b-page") == {"name": "owner-team-b-page"}


def test_a_page_inhibits_the_ticket_of_the_same_alert() -> None:
    (rule,) = alertmanager_config()["inhibit_rules"]
    assert rule["source_matchers"] == ['severity="page"']
    assert rule["target_matchers"] == ['severity="ticket"']
    assert rule["equal"] == ["alertname", "namespace", "service"]


def test_the_heartbeat_is_sent_every_minute_and_never_resolved() -> None:
    configured = alertmanager_config(heartbeat=URL)
    (route,) = (one for one in configured["route"]["routes"] if one["receiver"] == "heartbeat")
    assert route["matchers"] == ['alertname="Watchdog"']
    assert (route["group_interval"], route["repeat_interval"]) == ("30s", "45s")
    (webhook,) = receiver(configured, "heartbeat")["webhook_configs"]
    assert webhook["send_resolved"] is False


def test_group_wait_and_repeat_interval_follow_the_settings() -> None:
    route = alertmanager_config(groupWaitSeconds=3, repeatIntervalHours=5)["route"]
    assert route["group_wait"] == "3s"
    assert route["repeat_interval"] == "5h"


def test_egress_is_only_allowed_with_a_receiver() -> None:
    without = deploy(Alertmanager).one("NetworkPolicy")["spec"]
    assert without["egress"] == []
    with_receiver = deploy(Alertmanager, alerts={"heartbeat": URL}).one("NetworkPolicy")["spec"]
    assert {} in with_receiver["egress"]
