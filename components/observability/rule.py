"""Prometheus rules in the format of rule files and of PrometheusRule objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

Severity = Literal["page", "ticket", "none"]
"""``page``: needs immediate action. ``ticket``: can wait for working hours. ``none``: notifies
nobody."""
Rule = dict[str, Any]
RuleGroup = dict[str, Any]


def recording_rule(record: str, expr: str, labels: Mapping[str, str] | None = None) -> Rule:
    """Recording rule. ``record`` is the new series, named ``level:metric:operations``."""
    return {"record": record, "expr": expr, **({"labels": dict(labels)} if labels else {})}


def alert(
    name: str,
    severity: Severity,
    expr: str,
    summary: str,
    description: str,
    *,
    for_: str = "0s",
    labels: Mapping[str, str] | None = None,
) -> Rule:
    """Alerting rule.

    ``description`` is a Prometheus template. ``for_`` is the duration that the condition must hold
    before the alert fires. ``labels`` are added to the severity.
    """
    return {
        "alert": name,
        "expr": expr,
        "for": for_,
        "labels": {"severity": severity, **(labels or {})},
        "annotations": {"summary": summary, "description": description},
    }


def rule_group(name: str, rules: Iterable[Rule], interval: str | None = None) -> RuleGroup:
    """Rules that are evaluated in sequence. Default interval: Prometheus' global one."""
    return {"name": name, **({"interval": interval} if interval else {}), "rules": list(rules)}


def add_labels(subjects: Iterable[Sequence[RuleGroup]], labels: Mapping[str, str]) -> None:
    """Add ``labels`` to each alert."""
    for rule in _alerts(subjects):
        rule["labels"].update(labels)


def add_runbook_urls(subjects: Iterable[Sequence[RuleGroup]], base_url: str) -> None:
    """Link each alert without a runbook to ``<alert>.md`` below ``base_url``."""
    for rule in _alerts(subjects):
        url = f"{base_url.rstrip('/')}/{rule['alert']}.md"
        rule["annotations"].setdefault("runbook_url", url)


def _alerts(subjects: Iterable[Sequence[RuleGroup]]) -> Iterator[Rule]:
    for groups in subjects:
        for group in groups:
            yield from (rule for rule in group["rules"] if "alert" in rule)
