from components.observability.rule import (
    add_labels,
    add_runbook_urls,
    alert,
    recording_rule,
    rule_group,
)


def test_a_group_has_rules_in_prometheus_format_and_links_to_runbooks() -> None:
    rules = [
        recording_rule("job:up:sum", "sum by (job) (up)", {"slo": "x"}),
        alert("TargetDown", "page", "up == 0", "down", "{{ $value }}", labels={"window": "1h"}),
    ]
    group = rule_group("targets", rules, "30s")
    add_labels([[group]], {"owner": "team-a"})
    add_runbook_urls([[group]], "https://wiki.example.com/runbooks/")
    assert [group] == [
        {
            "name": "targets",
            "interval": "30s",
            "rules": [
                {"record": "job:up:sum", "expr": "sum by (job) (up)", "labels": {"slo": "x"}},
                {
                    "alert": "TargetDown",
                    "expr": "up == 0",
                    "for": "0s",
                    "labels": {"severity": "page", "window": "1h", "owner": "team-a"},
                    "annotations": {
                        "summary": "down",
                        "description": "{{ $value }}",
                        "runbook_url": "https://wiki.example.com/runbooks/TargetDown.md",
                    },
                },
            ],
        }
    ]
