"""What promtool says of the rules, and whether every alert is tested and has a runbook."""

import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.rules import rule_files
from local.layout import Layout
from settings import load
from tests.manifests.conftest import PROJECT, run
from tests.unit.components.observability.made import slo_of

RULES = Path(__file__).parent / "rules"
RUNBOOKS = PROJECT / "docs" / "runbooks"
SECTIONS = ("Meaning", "Impact", "First look", "Causes", "Remedy", "Escalate")
CASES = sorted(RULES.glob("*.yaml"))

Labels = dict[str, str]


def dev_rules() -> dict[str, str]:
    stack = load("dev")
    namespaces = tuple(stack.namespaces.values())
    return rule_files(
        stack.service, slo_of(stack), namespaces, stack.observability.runbook_base_url
    )


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule of the dev stack."""
    return [
        rule
        for text in dev_rules().values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def cases() -> list[dict[str, Any]]:
    """Every expectation about an alert in promtool's tests."""
    return [
        expectation
        for file in CASES
        for test in yaml.safe_load(file.read_text())["tests"]
        for expectation in test.get("alert_rule_test", [])
    ]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker, built where it is missing."""
    built = run(sys.executable, "-m", "local", "build", "promtool")
    assert built.returncode == 0, built.stderr
    return Layout().bin / "promtool"


def test_promtool_finds_nothing_wrong_with_the_rules(promtool: Path, tmp_path: Path) -> None:
    for name, text in dev_rules().items():
        (tmp_path / name).write_text(text)
    result = run(promtool, "check", "rules", "--lint-fatal", *sorted(tmp_path.iterdir()))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_alert_fires_when_it_should_and_only_then(
    promtool: Path, tmp_path: Path, case: Path
) -> None:
    shutil.copy(case, tmp_path / f"test-{case.name}")
    for name, text in dev_rules().items():
        (tmp_path / name).write_text(_with_descriptions_only(text))
    result = run(promtool, "test", "rules", f"test-{case.name}", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_expectation_is_found(promtool: Path, tmp_path: Path) -> None:
    for name, text in dev_rules().items():
        (tmp_path / name).write_text(_with_descriptions_only(text))
    case = (RULES / "kubernetes.yaml").read_text()
    (tmp_path / "test.yaml").write_text(case.replace("severity: page", "severity: ticket"))
    assert run(promtool, "test", "rules", "test.yaml", cwd=tmp_path).returncode == 1


def _with_descriptions_only(text: str) -> str:
    """Summary and runbook do not depend on values: a test need not repeat them."""
    document = yaml.safe_load(text)
    for group in document["groups"]:
        for rule in group["rules"]:
            if "annotations" in rule:
                rule["annotations"] = {"description": rule["annotations"]["description"]}
    return yaml.safe_dump(document)


def test_every_rule_that_alerts_has_a_test_in_which_it_fires() -> None:
    fired = [
        {"alertname": case["alertname"], **alert["exp_labels"]}
        for case in cases()
        for alert in case["exp_alerts"]
    ]
    for alert in alerts():
        own = {"alertname": alert["alert"], **alert["labels"]}
        assert any(own.items() <= labels.items() for labels in fired), own


def test_every_alert_but_the_heartbeat_has_a_test_in_which_it_is_quiet() -> None:
    quiet = {case["alertname"] for case in cases() if not case["exp_alerts"]}
    assert {alert["alert"] for alert in alerts()} - quiet == {"Watchdog"}


def test_every_alert_says_what_is_wrong_and_how_much() -> None:
    for alert in alerts():
        told = alert["annotations"]
        assert alert["labels"]["severity"] in ("page", "ticket", "none")
        assert told["summary"][0].isupper() or told["summary"].startswith("beacon"), told
        assert "{{ $" in told["description"] or "$value" in told["description"], told
        assert told["runbook_url"].endswith(f"/docs/runbooks/{alert['alert']}.md")


def test_an_alert_of_one_name_has_one_severity_for_each_of_its_labels() -> None:
    """Two rules that differ in nothing but the expression would hide each other."""
    seen = Counter(str(sorted(alert["labels"].items())) + alert["alert"] for alert in alerts())
    assert set(seen.values()) == {1}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {file.stem for file in RUNBOOKS.glob("[A-Z]*.md") if file.stem != "README"} == {
        alert["alert"] for alert in alerts()
    }


@pytest.mark.parametrize("name", sorted({alert["alert"] for alert in alerts()}))
def test_a_runbook_has_all_that_somebody_needs_at_night(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", text, re.MULTILINE) == list(SECTIONS)
    assert re.search(r"^    (make|kubectl|curl) ", text, re.MULTILINE), "no command to begin with"


def test_every_query_of_a_runbook_is_promql(promtool: Path, tmp_path: Path) -> None:
    queries = [
        query
        for file in sorted(RUNBOOKS.glob("*.md"))
        for query in re.findall(r"make metrics QUERY='(.*)'$", file.read_text(), re.MULTILINE)
    ]
    assert len(queries) > 30
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))
    result = run(promtool, "check", "rules", "--lint=none", file)
    assert result.returncode == 0, result.stdout + result.stderr
