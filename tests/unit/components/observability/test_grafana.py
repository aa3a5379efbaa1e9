import json
from typing import Any

from components.observability.grafana import Grafana
from tests.unit.components.observability.servers import config_file, deploy
from tests.unit.harness import Registry


def sources(registry: Registry) -> dict[str, Any]:
    found = config_file(registry, "provisioning.datasources.slipway.yaml")["datasources"]
    return {one["uid"]: one for one in found}


def test_the_generated_password_is_only_in_the_secret() -> None:
    registry = deploy(Grafana)
    assert registry.secret() == {"password": "drawn"}
    ini = registry.one("ConfigMap")["data"]["grafana.ini"]
    assert "admin_password = $__file{/run/secrets/server/password}" in ini
    assert "drawn" not in str(registry.one("StatefulSet"))


def test_every_link_between_data_sources_names_a_provisioned_one() -> None:
    registry = deploy(Grafana)
    text = json.dumps(list(sources(registry).values()))
    named = {part.split('"')[0] for part in text.split('"datasourceUid": "')[1:]}
    assert named <= set(sources(registry))
    assert named


def test_dashboards_are_provisioned_from_files() -> None:
    registry = deploy(Grafana)
    data = registry.one("ConfigMap")["data"]
    shown = [name for name in data if name.startswith("dashboards.")]
    assert "dashboards.overview.json" in shown
    assert all(json.loads(data[name])["title"] for name in shown)
    (provider,) = config_file(registry, "provisioning.dashboards.slipway.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_all_files_fit_into_one_config_map() -> None:
    data = deploy(Grafana).one("ConfigMap")["data"]
    assert sum(len(text.encode()) for text in data.values()) < 2**20


def test_a_login_is_required() -> None:
    ini = deploy(Grafana).one("ConfigMap")["data"]["grafana.ini"]
    assert "[auth.anonymous]\nenabled = false" in ini
    assert "allow_sign_up = false" in ini
