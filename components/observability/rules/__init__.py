"""The rules that Prometheus evaluates, one file per subject."""

from components.observability.rule import Group, rules_text
from components.observability.rules import certificates, kubernetes, monitoring
from components.observability.rules import service as of_service
from components.observability.slo import Slo
from schemas.observability import SloSettings
from settings import Service


def rule_files(service: Service, namespace: str, slo: SloSettings) -> dict[str, str]:
    """The name and text of each rule file, for the Prometheus that the stack deploys.

    ``namespace`` is the service's. A service without metrics has no rules about its requests.
    """
    every = service_groups(service, namespace, slo) | {
        "kubernetes": kubernetes.groups(),
        "certificates": certificates.groups(),
        "monitoring": monitoring.groups(),
    }
    return {f"{name}.yaml": rules_text(groups) for name, groups in every.items()}


def service_groups(
    service: Service, namespace: str, slo: SloSettings
) -> dict[str, tuple[Group, ...]]:
    """Those about the service alone, by subject: all that a Prometheus needs that exists."""
    pods = {"service": of_service.groups(service, namespace)}
    objective = Slo(service.name, namespace, slo)
    return {"slo": objective.groups, **pods} if service.metrics else pods
