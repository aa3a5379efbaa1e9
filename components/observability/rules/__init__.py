"""The rules that Prometheus evaluates, one file per subject."""

from components.observability.rule import Alert, Group, rules_text
from components.observability.rules import monitoring
from components.observability.slo import Slo
from schemas.observability import SloSettings
from settings import Service

__all__ = ["Alert", "Group", "rule_files", "rule_groups"]


def rule_files(service: Service, namespace: str, slo: SloSettings) -> dict[str, str]:
    """The name and text of each rule file, for the Prometheus that the stack deploys.

    ``namespace`` is the service's. A service without metrics has no rules about its requests.
    """
    return {
        f"{name}.yaml": rules_text(groups)
        for name, groups in rule_groups(service, namespace, slo).items()
    }


def rule_groups(service: Service, namespace: str, slo: SloSettings) -> dict[str, tuple[Group, ...]]:
    """The groups of each subject."""
    objective = Slo(service.name, namespace, slo)
    of_requests = {"slo": objective.groups} if service.metrics else {}
    return {**of_requests, "monitoring": monitoring.groups()}
