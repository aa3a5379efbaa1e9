"""The rules that Prometheus evaluates, one file per subject."""

from components.observability.rule import Group, rules_text
from components.observability.rules import certificates, kubernetes, monitoring
from components.observability.rules import service as of_service
from components.observability.slo import Slo
from settings import Service


def rule_files(
    service: Service, slo: Slo, namespaces: tuple[str, ...], runbook_base_url: str
) -> dict[str, str]:
    """Return the name and text of each rule file, for the Prometheus that the stack deploys.

    ``namespaces`` are all namespaces of the stack. Without metrics of the service there are no
    rules about its requests.
    """
    groups = service_groups(service, slo) | {
        "kubernetes": kubernetes.groups(namespaces),
        "certificates": certificates.groups(),
        "monitoring": monitoring.groups(),
    }
    return {f"{name}.yaml": rules_text(of, runbook_base_url) for name, of in groups.items()}


def service_groups(service: Service, slo: Slo) -> dict[str, tuple[Group, ...]]:
    """Return the rule groups about the service alone, by file, for an existing Prometheus."""
    pods = {"service": of_service.groups(service, slo.namespace)}
    return {"slo": slo.groups, **pods} if service.metrics else pods
