"""What the servers' own checkers say of the configuration that each is given."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.manifests.conftest import VARIANTS, Variant, run

pytestmark = pytest.mark.timeout(900)


SERVED = ("dev", "prod", "prod-told")
"""The variants whose servers differ."""
AS_PROD = ("prod-canary", "prod-gateway", "prod-login")
"""Those whose servers have the files of prod's."""


@pytest.fixture(params=SERVED)
def configs(request: pytest.FixtureRequest, variant: Variant, tmp_path: Path) -> Path:
    """Every server's files as its pod sees them, in a folder of the server's name."""
    return written(variant(request.param), tmp_path / "configs")


def written(rendered: Path, folder: Path) -> Path:
    """Write the files of the servers' ConfigMaps as their pods mount them."""
    for file in rendered.glob("40-monitoring-*.yaml"):
        workload = yaml.safe_load(file.read_text())
        name = workload["metadata"]["name"]
        maps = list(rendered.glob(f"20-*-configmap-{name}.yaml"))
        if maps:
            data = yaml.safe_load(maps[0].read_text())["data"]
            for item in _items(workload):
                path = folder / name / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(data[item["key"]])
    return folder


def _items(workload: dict[str, Any]) -> list[dict[str, str]]:
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    (config,) = (volume for volume in volumes if volume["name"] == "config")
    return config["configMap"]["items"]


def files_of(folder: Path) -> dict[Path, str]:
    """The text of every file below a folder."""
    return {
        file.relative_to(folder): file.read_text() for file in folder.rglob("*") if file.is_file()
    }


def test_every_variant_is_looked_at_or_has_the_same_files(variant: Variant, tmp_path: Path) -> None:
    assert {*SERVED, *AS_PROD} == {
        name for name in VARIANTS if [*variant(name).glob("40-monitoring-*.yaml")]
    }
    prod = files_of(written(variant("prod"), tmp_path / "prod"))
    assert prod
    for name in AS_PROD:
        assert files_of(written(variant(name), tmp_path / name)) == prod


def test_prometheus_accepts_its_configuration_and_rules(configs: Path, checkers: Path) -> None:
    folder = configs / "prometheus"
    (folder / "account").mkdir(exist_ok=True)
    for name in ("token", "ca.crt"):
        (folder / "account" / name).touch()
    text = (folder / "prometheus.yaml").read_text()
    text = text.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(folder / "account"))
    (folder / "prometheus.yaml").write_text(text.replace("/etc/prometheus/", f"{folder}/"))
    result = run(checkers / "promtool", "check", "config", folder / "prometheus.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "rules found" in result.stdout


def test_alertmanager_accepts_its_configuration(configs: Path, checkers: Path) -> None:
    file = configs / "alertmanager" / "alertmanager.yaml"
    result = run(checkers / "amtool", "check-config", file)
    assert result.returncode == 0, result.stdout + result.stderr
    for severity in ("page", "ticket"):
        route = run(
            *(checkers / "amtool", "config", "routes", "test", "--config.file", file),
            *(f"--verify.receivers={severity}", f"severity={severity}", "alertname=any"),
        )
        assert route.returncode == 0, route.stdout + route.stderr
    watchdog = run(
        *(checkers / "amtool", "config", "routes", "test", "--config.file", file),
        *("--verify.receivers=heartbeat", "severity=none", "alertname=Watchdog"),
    )
    assert watchdog.returncode == 0, watchdog.stdout + watchdog.stderr


def test_loki_accepts_its_configuration(configs: Path, checkers: Path) -> None:
    result = run(checkers / "loki", "-verify-config", f"-config.file={configs}/loki/loki.yaml")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("collector", ["collector", "collector-agent"])
def test_the_collector_accepts_its_configuration(
    configs: Path, checkers: Path, tmp_path: Path, collector: str
) -> None:
    config = yaml.safe_load((configs / collector / "collector.yaml").read_text())
    # The program that is built here has no exporter to Elasticsearch: its module cannot be had.
    # Nor has it what signs the requests in.
    config["exporters"].pop("elasticsearch", None)
    for name in [one for one in config["extensions"] if one.startswith("bearertokenauth/")]:
        del config["extensions"][name]
        config["service"]["extensions"].remove(name)
    config["receivers"].pop("filelog/elasticsearch", None)
    config["service"]["pipelines"].pop("logs/elasticsearch", None)
    file = tmp_path / "collector.yaml"
    file.write_text(yaml.safe_dump(config).replace("/var/lib/otelcol", str(tmp_path)))
    result = run(
        *(checkers / "otelcol-k8s", "validate", "--config", file),
        env={**os.environ, "NODE_NAME": "node"},
    )
    assert result.returncode == 0, result.stdout + result.stderr


MISTAKES = {
    "promtool": ("prometheus/prometheus.yaml", "evaluation_interval", "evaluation"),
    "amtool": ("alertmanager/alertmanager.yaml", "receiver: page", "receiver: nobody"),
    "loki": ("loki/loki.yaml", "auth_enabled", "authentication"),
    "otelcol-k8s": ("collector/collector.yaml", "memory_limiter", "memory"),
}


@pytest.mark.parametrize("configs", ["prod"], indirect=True)
@pytest.mark.parametrize("checker", MISTAKES)
def test_a_checker_refuses_a_mistake(
    configs: Path, checkers: Path, tmp_path: Path, checker: str
) -> None:
    path, good, bad = MISTAKES[checker]
    text = (configs / path).read_text()
    assert good in text
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace(good, bad, 1))
    arguments = {
        "promtool": ("check", "config", "--syntax-only", broken),
        "amtool": ("check-config", broken),
        "loki": ("-verify-config", f"-config.file={broken}"),
        "otelcol-k8s": ("validate", "--config", broken),
    }
    assert run(checkers / checker, *arguments[checker]).returncode != 0


@pytest.mark.parametrize("configs", ["prod", "prod-told"], indirect=True)
def test_grafana_is_given_dashboards_with_sources_that_are_there(configs: Path) -> None:
    folder = configs / "grafana"
    sources = yaml.safe_load((folder / "provisioning/datasources/slipway.yaml").read_text())
    uids = {source["uid"] for source in sources["datasources"]}
    assert {"prometheus", "loki", "jaeger"} <= uids
    home = (folder / "grafana.ini").read_text().split("default_home_dashboard_path = ")[1]
    assert (folder / "dashboards" / Path(home.splitlines()[0]).name).is_file()
