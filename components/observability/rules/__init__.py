"""Prometheus rules, one file per subject."""

from components.observability.args import ObservabilityArgs
from components.observability.monitored_service import MonitoredService
from components.observability.rule import RuleGroup, add_labels, add_runbook_urls
from components.observability.rules.certificates import certificate_rules
from components.observability.rules.external_secrets import external_secrets_rules
from components.observability.rules.kubernetes import kubernetes_rules
from components.observability.rules.monitoring import monitoring_rules
from components.observability.rules.service import service_rules
from components.observability.rules.slo import slo_rules

RuleGroups = dict[str, list[RuleGroup]]
"""Rule groups by subject: the name of the rule file or PrometheusRule."""


def rules_of_service(service: MonitoredService, runbook_base_url: str) -> RuleGroups:
    """Rules about one service, for a Prometheus that has rules about the cluster.

    Alertmanager groups and routes the alerts by their labels namespace, service and owner.
    """
    rules: RuleGroups = {f"{service.name}-service": service_rules(service)}
    if service.slo:
        rules[f"{service.name}-slo"] = slo_rules(service.slo, service.roles)
    labels = {"namespace": service.namespace, "service": service.name}
    add_labels(rules.values(), labels | ({"owner": service.owner} if service.owner else {}))
    add_runbook_urls(rules.values(), runbook_base_url)
    return rules


def all_rules(args: ObservabilityArgs) -> RuleGroups:
    """Rules about the services, the cluster and the monitoring itself."""
    runbooks = args["settings"].runbook_base_url
    monitoring, nodes = args["network"].monitoring_namespace, args["settings"].node_namespace
    namespaces = (args["namespace"], monitoring, nodes)
    rules: RuleGroups = {
        "kubernetes": kubernetes_rules(namespaces),
        "certificates": certificate_rules(),
        "external-secrets": external_secrets_rules(),
        "monitoring": monitoring_rules(),
    }
    add_runbook_urls(rules.values(), runbooks)
    for service in args["services"]:
        rules |= rules_of_service(service, runbooks)
    return rules
