"""Prometheus rules, one file per subject. Rules of the SLO are in ``slo.py``."""

from components.observability.args import ObservabilityArgs
from components.observability.rule import RuleGroup, add_runbook_urls
from components.observability.rules.certificates import certificate_rules
from components.observability.rules.kubernetes import kubernetes_rules
from components.observability.rules.monitoring import monitoring_rules
from components.observability.rules.service import service_rules
from components.observability.slo import slo_rules

RuleGroups = dict[str, list[RuleGroup]]
"""Rule groups by subject: the name of the rule file or PrometheusRule."""


def rules_of_service(args: ObservabilityArgs) -> RuleGroups:
    """Rules about the service, for a Prometheus that has rules about the cluster.

    Without metrics of its own, a service has no SLO rules.
    """
    service, slo = args["service"], args["slo"]
    rules: RuleGroups = {"slo": slo_rules(slo)} if service.metrics else {}
    rules["service"] = service_rules(service, slo.namespace)
    add_runbook_urls(rules.values(), args["settings"].runbook_base_url)
    return rules


def all_rules(args: ObservabilityArgs) -> RuleGroups:
    """Rules about the service, the cluster and the monitoring itself."""
    monitoring, nodes = args["network"].monitoring_namespace, args["settings"].node_namespace
    namespaces = (args["slo"].namespace, monitoring, nodes)
    rules: RuleGroups = {
        "kubernetes": kubernetes_rules(namespaces),
        "certificates": certificate_rules(),
        "monitoring": monitoring_rules(),
    }
    add_runbook_urls(rules.values(), args["settings"].runbook_base_url)
    return rules_of_service(args) | rules
