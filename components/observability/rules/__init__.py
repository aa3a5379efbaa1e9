"""Prometheus rules, one file per subject."""

from collections.abc import Sequence

from components.observability.rules.certificates import certificate_rules
from components.observability.rules.kubernetes import kubernetes_rules
from components.observability.rules.monitoring import monitoring_rules
from components.observability.rules.rule import RuleGroup, add_runbook_urls
from components.observability.rules.service import service_rules
from components.observability.rules.slo import slo_rules
from components.observability.slo import Slo
from settings import Service

RuleGroups = dict[str, Sequence[RuleGroup]]
"""Rule groups by subject: the name of the rule file or PrometheusRule."""


def rules_of_service(service: Service, slo: Slo, runbook_base_url: str) -> RuleGroups:
    """Rules about the service: enough for a Prometheus that has the cluster's rules already.

    Without metrics of its own, a service has no SLO rules.
    """
    rules: RuleGroups = {"slo": slo_rules(slo)} if service.metrics else {}
    rules["service"] = service_rules(service, slo.namespace)
    return {name: add_runbook_urls(groups, runbook_base_url) for name, groups in rules.items()}


def rules_of_cluster(namespaces: Sequence[str], runbook_base_url: str) -> RuleGroups:
    """Rules about the nodes, the volumes and jobs in ``namespaces``, and the monitoring itself."""
    rules: RuleGroups = {
        "kubernetes": kubernetes_rules(namespaces),
        "certificates": certificate_rules(),
        "monitoring": monitoring_rules(),
    }
    return {name: add_runbook_urls(groups, runbook_base_url) for name, groups in rules.items()}
