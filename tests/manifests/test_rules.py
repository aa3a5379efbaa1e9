"""Tests the Prometheus rules with promtool, and that every alert has a test and a runbook."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.rules import RuleGroups, all_rules, rules_of_service
from settings import duration_seconds, load
from settings.loader import validate
from settings.stack_file import PROJECT_FOLDER
from tests.manifests.conftest import run
from tests.unit.components.observability.servers import args_of
from tests.unit.stacks import BEACON, SMALLEST, changed, needs_example

pytestmark = needs_example

CASES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
RUNBOOKS = PROJECT_FOLDER / "docs" / "runbooks"
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Causes", "Mitigation", "Escalation"]
DEV = all_rules(args_of(load("dev")))
SOURCES: dict[str, dict[str, Any]] = {
    "traefik": {},
    "nginx": {"observability": {"proxy": {"implementation": "ingress-nginx"}}},
    "envoy": {"observability": {"proxy": {"implementation": "envoy-gateway"}}},
    "istio": {"observability": {"proxy": {"implementation": "istio"}}},
    "sidecar": {
        "observability": {"proxy": {"implementation": "istio-sidecar"}},
        "mesh": {"istio": {}},
        "routing": {"backend": "istio"},
    },
    "otel": {"metrics": {"convention": "opentelemetry"}},
    "podinfo": {"metrics": {"convention": "podinfo"}},
    "worker": {
        "slo": {
            "source": "queries",
            "queries": {
                "requests": "sum by (track) (rate(jobs_total{$selector}[5m]))",
                "errors": 'sum by (track) (rate(jobs_total{$selector,result="error"}[5m]))',
            },
        }
    },
}
"""A service for each source of request metrics, by name."""


def rules_of(name: str, changes: dict[str, Any]) -> RuleGroups:
    """Return the rules of a service without metrics, with changes of it and of its stack."""
    service = {**BEACON, "metrics": None, "owner": "team-a"}
    stack = {key: value for key, value in changes.items() if key in ("observability", "mesh")}
    own = {key: value for key, value in changes.items() if key not in stack}
    bundled_stack = changed(
        {"namespace": {"name": "beacon-dev"}, "observability": {"mode": "bundled"}}, stack
    )
    services = {"beacon": None, name: changed(service, own)}
    sections = changed(SMALLEST, {**bundled_stack, "services": services})
    del sections["services"]["beacon"]
    (monitored,) = args_of(validate("Pulumi.test.yaml", sections))["services"]
    return rules_of_service(monitored, "https://example.com")


RULES = DEV | {
    name: groups
    for source, changes in SOURCES.items()
    for name, groups in rules_of(source, changes).items()
}
ALERTS = [
    rule
    for groups in DEV.values()
    for group in groups
    for rule in group["rules"]
    if "alert" in rule
]
EXPECTATIONS = [
    expectation
    for file in CASES
    for test in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["tests"]
    for expectation in test.get("alert_rule_test", [])
]


def write_rules(folder: Path, annotations: tuple[str, ...], interval: str = "15s") -> None:
    """Write each rule group to a file, with only these annotations of its alerts.

    A case reads the groups that it needs, as each costs time. promtool evaluates every group at the
    ``interval`` of the test, not at the group's own.
    """
    seconds = int(duration_seconds(interval))
    for name, groups in json.loads(json.dumps(RULES)).items():
        (folder / name).mkdir()
        for group in groups:
            for rule in group["rules"]:
                rule["expr"] = rule["expr"].replace("* 15 / ", f"* {seconds} / ")
                if "annotations" in rule:
                    rule["annotations"] = {key: rule["annotations"][key] for key in annotations}
            # As JSON, which is YAML too: writing YAML takes longer than promtool.
            (folder / name / f"{group['name']}.yaml").write_text(json.dumps({"groups": [group]}))


def test_promtool_accepts_the_rules(promtool: Path, tmp_path: Path) -> None:
    write_rules(tmp_path, ("summary", "description", "runbook_url"))
    result = run(promtool, "check", "rules", "--lint-fatal", *sorted(tmp_path.glob("*/*.yaml")))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_as_expected(promtool: Path, tmp_path: Path, case: Path) -> None:
    interval = yaml.safe_load(case.read_text())["evaluation_interval"]
    write_rules(tmp_path, ("description",), interval)
    shutil.copy(case, tmp_path / f"test-{case.name}")
    result = run(promtool, "test", "rules", f"test-{case.name}", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_expectation_fails(promtool: Path, tmp_path: Path) -> None:
    write_rules(tmp_path, ("description",))
    case = next(case for case in CASES if case.stem == "kubernetes").read_text()
    (tmp_path / "test.yaml").write_text(case.replace("severity: page", "severity: ticket"))
    assert run(promtool, "test", "rules", "test.yaml", cwd=tmp_path).returncode == 1


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    fired = [
        {"alertname": expectation["alertname"], **alert["exp_labels"]}
        for expectation in EXPECTATIONS
        for alert in expectation["exp_alerts"]
    ]
    for alert in ALERTS:
        labels = {"alertname": alert["alert"], **alert["labels"]}
        assert any(labels.items() <= other.items() for other in fired), labels


def test_every_alert_but_watchdog_has_a_test_in_which_it_does_not_fire() -> None:
    quiet = {one["alertname"] for one in EXPECTATIONS if not one["exp_alerts"]}
    assert {alert["alert"] for alert in ALERTS} - quiet == {"Watchdog"}


def test_every_description_contains_a_value_or_label() -> None:
    for alert in ALERTS:
        assert re.search(r"\$(value|labels)", alert["annotations"]["description"]), alert["alert"]


def test_alerts_of_one_name_differ_in_their_labels() -> None:
    """Otherwise Prometheus would treat them as one alert."""
    labels = Counter(f"{alert['alert']} {sorted(alert['labels'].items())}" for alert in ALERTS)
    assert set(labels.values()) == {1}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    runbooks = {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"}
    assert runbooks == {alert["alert"] for alert in ALERTS}


def test_every_runbook_has_all_sections_and_a_command() -> None:
    for name in {alert["alert"] for alert in ALERTS}:
        text = (RUNBOOKS / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS, name
        assert re.search(r"^    (make|kubectl|curl) ", text, re.MULTILINE), name


def test_every_query_of_a_runbook_is_valid(promtool: Path, tmp_path: Path) -> None:
    queries = [
        query
        for file in RUNBOOKS.glob("*.md")
        for query in re.findall(r"make metrics QUERY='(.*)'$", file.read_text(), re.MULTILINE)
    ]
    assert len(queries) > 30
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))
    result = run(promtool, "check", "rules", "--lint=none", file)
    assert result.returncode == 0, result.stdout + result.stderr
