"""The rendered configuration files are valid for the programs that read them."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import Run, Variant, read, run
from tests.unit.stacks import needs_example

pytestmark = [needs_example, pytest.mark.timeout(900)]


@pytest.fixture(params=["dev", "prod", "prod-receivers"])
def configurations(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Path:
    """Folder with the configuration files of each server, as its pod mounts them."""
    rendered, folder = variant(request.param), tmp_path / "configurations"
    for file in rendered.glob("40-monitoring-*.yaml"):
        workload = read(file.read_text())
        name = workload["metadata"]["name"]
        for config_map in rendered.glob(f"20-*-configmap-{name}.yaml"):
            data = read(config_map.read_text())["data"]
            for key, mounted in _mounted_paths(workload, data).items():
                path = folder / name / mounted
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(data[key])
    return folder


def _mounted_paths(workload: dict[str, Any], data: dict[str, str]) -> dict[str, str]:
    """Path of each key of the ConfigMap below its mount."""
    (volume,) = (
        one for one in workload["spec"]["template"]["spec"]["volumes"] if one["name"] == "config"
    )
    items = volume["configMap"].get("items", [{"key": key, "path": key} for key in data])
    return {item["key"]: item["path"] for item in items}


@pytest.fixture(scope="module")
def beacon(go: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Program of the service."""
    program = tmp_path_factory.mktemp("beacon") / "beacon"
    built = go("build", "-o", program, ".", cwd=PROJECT_FOLDER / "app")
    assert built.returncode == 0, built.stderr
    return program


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_service_accepts_its_configuration(
    name: str, beacon: Path, variant: Variant, tmp_path: Path
) -> None:
    config_maps = [*variant(name).glob("20-configmap-beacon-*.yaml")]
    assert config_maps
    for config_map in config_maps:
        file = tmp_path / "config.yaml"
        file.write_text(read(config_map.read_text())["data"]["config.yaml"])
        result = run(beacon, "--check-config", file)
        assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_accepts_its_configuration_and_rules(
    configurations: Path, checkers: Path
) -> None:
    folder = configurations / "prometheus"
    (folder / "account").mkdir()
    for name in ("token", "ca.crt"):
        (folder / "account" / name).touch()
    text = (folder / "prometheus.yaml").read_text()
    text = text.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(folder / "account"))
    (folder / "prometheus.yaml").write_text(text.replace("/etc/prometheus/", f"{folder}/"))
    result = run(checkers / "promtool", "check", "config", folder / "prometheus.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "rules found" in result.stdout


def test_alertmanager_accepts_its_configuration(configurations: Path, checkers: Path) -> None:
    file = configurations / "alertmanager" / "alertmanager.yaml"
    result = run(checkers / "amtool", "check-config", file)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("page", ("severity=page", "alertname=any")),
        ("ticket", ("severity=ticket", "alertname=any")),
        ("heartbeat", ("severity=none", "alertname=Watchdog")),
    ],
)
def test_alertmanager_routes_an_alert_by_its_severity(
    configurations: Path, checkers: Path, receiver: str, labels: tuple[str, ...]
) -> None:
    file = configurations / "alertmanager" / "alertmanager.yaml"
    result = run(
        *(checkers / "amtool", "config", "routes", "test", "--config.file", file),
        *(f"--verify.receivers={receiver}", *labels),
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_loki_accepts_its_configuration(configurations: Path, checkers: Path) -> None:
    file = configurations / "loki" / "loki.yaml"
    result = run(checkers / "loki", "-verify-config", f"-config.file={file}")
    assert result.returncode == 0, result.stdout + result.stderr


def assert_valid(collector: Path, checkers: Path, tmp_path: Path) -> None:
    file = tmp_path / "collector.yaml"
    text = (collector / "collector.yaml").read_text()
    file.write_text(text.replace("/var/lib/otelcol", str(tmp_path)))
    result = run(
        *(checkers / "otelcol-k8s", "validate", "--config", file),
        env={**os.environ, "NODE_NAME": "node"},
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("collector", ["collector", "collector-agent"])
def test_the_collector_accepts_its_configuration(
    configurations: Path, checkers: Path, tmp_path: Path, collector: str
) -> None:
    assert_valid(configurations / collector, checkers, tmp_path)


@pytest.mark.parametrize("configurations", ["prod-log-pipeline"], indirect=True)
@pytest.mark.parametrize("collector", ["collector-agent", "log-consumer"])
def test_the_collectors_accept_their_configuration_with_kafka_between_them(
    configurations: Path, checkers: Path, tmp_path: Path, collector: str
) -> None:
    assert_valid(configurations / collector, checkers, tmp_path)


@pytest.mark.parametrize("configurations", ["prod", "prod-receivers"], indirect=True)
def test_grafana_has_its_data_sources_and_home_dashboard(configurations: Path) -> None:
    folder = configurations / "grafana"
    sources = yaml.safe_load((folder / "provisioning/datasources/slipway.yaml").read_text())
    assert {"prometheus", "loki", "jaeger"} <= {source["uid"] for source in sources["datasources"]}
    home = (folder / "grafana.ini").read_text().split("default_home_dashboard_path = ")[1]
    assert (folder / "dashboards" / Path(home.splitlines()[0]).name).is_file()
