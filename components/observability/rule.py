"""Prometheus rules: what is recorded, what is told, and the groups that hold both."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

Severity = Literal["page", "ticket", "none"]
"""``page``: somebody is needed now. ``ticket``: tomorrow will do. ``none``: for machines."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """A recording rule."""

    record: str
    """Name of the series, ``level:metric:operations``."""
    expr: str
    """PromQL."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Added to every series."""

    def as_json(self) -> Json:
        """The rule as Prometheus reads it."""
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.record, "expr": _tidy(self.expr), **labels}


@dataclass(frozen=True)
class Alert:
    """An alerting rule. Its runbook is ``docs/runbooks/<name>.md``."""

    name: str
    """In CamelCase."""
    severity: Severity
    expr: str
    """PromQL."""
    summary: str
    """One line: what is wrong with what."""
    description: str
    """The same with values. Prometheus' templates."""
    lasting: str = "0s"
    """How long it has to be so before somebody is told."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Beside the severity."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", self.name):
            raise ValueError(f"the alert's name is {self.name!r}: use CamelCase, like TargetDown")

    def as_json(self, runbooks: str) -> Json:
        """The rule as Prometheus reads it; the folder of the runbooks is read at ``runbooks``."""
        return {
            "alert": self.name,
            "expr": _tidy(self.expr),
            "for": self.lasting,
            "labels": {"severity": self.severity, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{runbooks.rstrip('/')}/{self.name}.md",
            },
        }


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated one after the other, so that a later one sees an earlier one's."""

    name: str
    rules: tuple[Rule | Alert, ...]
    interval: str | None = None
    """From one evaluation to the next. ``None``: Prometheus' own."""

    @property
    def alerts(self) -> Iterator[Alert]:
        """Those that tell."""
        return (rule for rule in self.rules if isinstance(rule, Alert))

    def as_json(self, runbooks: str) -> Json:
        """The group as Prometheus reads it."""
        interval = {"interval": self.interval} if self.interval else {}
        rules = [
            rule.as_json(runbooks) if isinstance(rule, Alert) else rule.as_json()
            for rule in self.rules
        ]
        return {"name": self.name, **interval, "rules": rules}


def rules_text(groups: tuple[Group, ...], runbooks: str) -> str:
    """A rule file."""
    document = {"groups": [group.as_json(runbooks) for group in groups]}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)


def _tidy(expr: str) -> str:
    """PromQL without the indentation of the Python around it."""
    lines = [line.rstrip() for line in expr.strip("\n").rstrip().splitlines()]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return "\n".join(line[margin:] for line in lines)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
