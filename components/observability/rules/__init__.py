"""The rules that Prometheus evaluates, one file per subject."""

from components.observability.rule import Group, rules_text
from components.observability.rules import certificates, kubernetes, monitoring
from components.observability.rules import service as of_service
from components.observability.slo import Slo
from settings import Settings


def rule_files(settings: Settings) -> dict[str, str]:
    """The name and text of each rule file, for the Prometheus that the stack deploys.

    A service without metrics has no rules about its requests.
    """
    every = service_groups(settings) | {
        "kubernetes": kubernetes.groups(_namespaces(settings)),
        "certificates": certificates.groups(),
        "monitoring": monitoring.groups(),
    }
    runbooks = settings.observability.runbook_base_url
    return {f"{name}.yaml": rules_text(groups, runbooks) for name, groups in every.items()}


def _namespaces(settings: Settings) -> tuple[str, ...]:
    """The stack's own."""
    return (
        settings.namespace.name,
        settings.network.monitoring_namespace,
        settings.observability.node_namespace,
    )


def service_groups(settings: Settings) -> dict[str, tuple[Group, ...]]:
    """Those about the service alone, by subject: all that a Prometheus needs that exists."""
    pods = {"service": of_service.groups(settings.service, settings.namespace.name)}
    return {"slo": Slo.of(settings).groups, **pods} if settings.service.metrics else pods
