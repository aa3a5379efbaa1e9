"""Rules as Prometheus reads them."""

import pytest
import yaml

from components.observability.rule import Alert, Group, Rule, rules_text

RUNBOOKS = "https://wiki.example.com/runbooks/"
RULE = Rule("job:up:sum", "\n        sum by (job) (\n          up\n        )\n    ", {"slo": "x"})
ALERT = Alert("TargetDown", "page", "up == 0", "down", "{{ $value }}", "5m", {"window": "1h"})


def test_a_recording_rule_has_its_name_expression_and_labels() -> None:
    (group,) = yaml.safe_load(rules_text((Group("a", (RULE,)),), RUNBOOKS))["groups"]
    assert group == {
        "name": "a",
        "rules": [
            {
                "record": "job:up:sum",
                "expr": "sum by (job) (\n  up\n)",
                "labels": {"slo": "x"},
            }
        ],
    }


def test_an_alert_has_a_severity_and_leads_to_its_runbook() -> None:
    (group,) = yaml.safe_load(rules_text((Group("a", (ALERT,), "30s"),), RUNBOOKS))["groups"]
    assert group["interval"] == "30s"
    (alert,) = group["rules"]
    assert alert["labels"] == {"severity": "page", "window": "1h"}
    assert alert["for"] == "5m"
    assert alert["annotations"]["runbook_url"] == "https://wiki.example.com/runbooks/TargetDown.md"


def test_text_of_several_lines_is_written_as_such() -> None:
    assert "expr: |-\n      sum by (job) (\n        up\n      )\n" in rules_text(
        (Group("a", (RULE,)),), RUNBOOKS
    )


def test_a_group_knows_its_alerts() -> None:
    assert list(Group("a", (RULE, ALERT)).alerts) == [ALERT]


@pytest.mark.parametrize("name", ["target_down", "Target down", "../etc", ""])
def test_an_alert_has_a_name_that_a_file_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="use CamelCase, like TargetDown"):
        Alert(name, "page", "up == 0", "", "")
