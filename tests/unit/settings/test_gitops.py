"""Settings that are refused if another program than Pulumi applies the manifests."""

from typing import Any

import pytest

from settings import SettingsError
from tests.unit.stacks import changed, settings

SECRET = {"secure": "v1:abc"}
DELIVERY: dict[str, Any] = {
    "mode": "gitops",
    "repository": "https://git.example.com/environments.git",
    "path": "environments/test",
}
STORE = {"team": {"vault": {"server": "https://vault.example.com", "role": "shop"}}}
BUNDLED = {"mode": "bundled", "grafana": {"enabled": False}}


def errors(changes: dict[str, Any]) -> list[str]:
    try:
        settings(**changed({"delivery": DELIVERY}, changes))
    except SettingsError as error:
        return [*error.errors]
    return []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"delivery": {"repository": None}}, "delivery.repository is missing: use the URL"),
        ({"delivery": {"path": None}}, "delivery.path is missing: use a folder"),
        (
            {"secrets": {"token": {"generate": {"length": 9}}}},
            'services.beacon.secrets.token is {"generate": {"length": 9}}: use external: manifests',
        ),
        (
            {"secrets": {"token": SECRET}},
            'services.beacon.secrets.token is "(encrypted)": use external',
        ),
        (
            {"secrets": {"token": {"sops": {"file": "a.yaml", "key": "b"}}}},
            'services.beacon.secrets.token is {"sops": {"file": "a.yaml", "key": "b"}}: use ext',
        ),
        (
            {"env": {"TOKEN": {"secret": SECRET}}},
            'services.beacon.env.TOKEN.secret is "(encrypted)": use no value here, and secrets',
        ),
        (
            {"registry": {"credentials": {"username": "robot", "password": SECRET}}},
            'registry.credentials.password is "(encrypted)": use no value here, and nodes that',
        ),
        (
            {"observability": {**BUNDLED, "alerts": {"page": {"webhook": SECRET}}}},
            'observability.alerts.page.webhook is "(encrypted)": use no value here, and observ',
        ),
        (
            {"observability": {"mode": "bundled"}},
            "observability.grafana.enabled is true: use false: its password is generated",
        ),
        (
            {"delivery": {"engine": "flux"}, "release": {"beforeStart": {"command": ["/a"]}}},
            "services.beacon.release.beforeStart is ",
        ),
    ],
)
def test_a_setting_that_the_owner_cannot_apply_is_refused_by_key(
    changes: dict[str, Any], message: str
) -> None:
    (error,) = errors(changes)
    assert error.startswith(f"slipway:{message}")


@pytest.mark.parametrize(
    "changes",
    [
        {
            "secretStores": STORE,
            "secrets": {"token": {"external": {"store": "team", "key": "shop"}}},
        },
        {"image": {"build": {"secrets": {"netrc": SECRET}}}},
        {"notifications": {"webhook": SECRET}},
        {"observability": {"mode": "operator", "alerts": {"page": {"webhook": SECRET}}}},
        {"observability": BUNDLED},
        {"delivery": {"repository": "ssh://git@git.example.com/environments.git"}},
        {"delivery": {"mode": "pulumi", "repository": None}, "secrets": {"token": SECRET}},
    ],
)
def test_a_setting_without_a_rendered_secret_is_accepted(changes: dict[str, Any]) -> None:
    assert errors(changes) == []


@pytest.mark.parametrize(
    "url", ["https://user:pass@git.example.com/a.git", "git@git.example.com:a.git", "file:///a"]
)
def test_a_repository_that_is_no_url_or_has_a_password_is_refused(url: str) -> None:
    (error,) = errors({"delivery": {"repository": url}})
    assert "slipway:delivery.repository is " in error
