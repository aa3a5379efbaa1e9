"""What Grafana is given, and what it keeps to itself."""

import json
from typing import Any

from components.observability.grafana import Grafana
from tests.unit.components.observability.made import config, made
from tests.unit.harness import Registry


def sources(registry: Registry) -> dict[str, Any]:
    found = config(registry, "provisioning.datasources.slipway.yaml")["datasources"]
    return {one["uid"]: one for one in found}


def test_the_password_is_drawn_and_in_a_secret_only() -> None:
    registry = made(Grafana)
    assert registry.secret() == {"password": "drawn"}
    ini = registry.one("ConfigMap")["data"]["grafana.ini"]
    assert "admin_password = $__file{/run/secrets/server/password}" in ini
    assert "drawn" not in str(registry.one("StatefulSet"))


def test_nobody_looks_at_it_without_logging_in() -> None:
    ini = made(Grafana).one("ConfigMap")["data"]["grafana.ini"]
    assert "[auth.anonymous]\nenabled = false" in ini
    assert "allow_sign_up = false" in ini


def test_an_exemplar_leads_to_its_trace() -> None:
    found = sources(made(Grafana))
    (link,) = found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (link["name"], link["datasourceUid"]) == ("trace_id", "jaeger")


def test_a_line_leads_to_its_trace_and_a_trace_to_its_lines_and_metrics() -> None:
    found = sources(made(Grafana))
    (field,) = found["loki"]["jsonData"]["derivedFields"]
    assert (field["matcherRegex"], field["datasourceUid"]) == ("trace_id", "jaeger")
    trace = found["jaeger"]["jsonData"]
    assert trace["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert trace["tracesToMetrics"]["datasourceUid"] == "prometheus"


def test_every_link_leads_to_a_source_that_is_there() -> None:
    registry = made(Grafana)
    text = json.dumps(list(sources(registry).values()))
    named = {part.split('"')[0] for part in text.split('"datasourceUid": "')[1:]}
    assert named <= set(sources(registry))
    assert named


def test_dashboards_are_files_that_it_reads_again_without_a_restart() -> None:
    registry = made(Grafana)
    data = registry.one("ConfigMap")["data"]
    shown = [name for name in data if name.startswith("dashboards.")]
    assert "dashboards.overview.json" in shown
    assert all(json.loads(data[name])["title"] for name in shown)
    (provider,) = config(registry, "provisioning.dashboards.slipway.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"


def test_all_its_files_fit_into_one_object() -> None:
    data = made(Grafana).one("ConfigMap")["data"]
    assert sum(len(text.encode()) for text in data.values()) < 2**20
