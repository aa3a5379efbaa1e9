"""Alerts on certificates that expire soon."""

from components.observability.rule import Rule, RuleGroup, Severity, alert, rule_group

_DAY = 24 * 3600
# Traefik, ingress-nginx and cert-manager: alerts on whichever the cluster has. After a renewal,
# Traefik still exports the old certificate next to the new one: hence max.
_SECONDS_LEFT = (
    "(\n"
    "  max by (cn) (traefik_tls_certs_not_after)\n"
    "or\n"
    "  min by (host) (nginx_ingress_controller_ssl_expire_time_seconds > 0)\n"
    "or\n"
    "  min by (exported_namespace, namespace, name) "
    "(certmanager_certificate_expiration_timestamp_seconds > 0)\n"
    ") - time()"
)


def certificate_rules() -> list[RuleGroup]:
    """Alerts on serving certificates and on client certificates of the API server."""
    rules = (_certificate_expiring("ticket", 14), _certificate_expiring("page", 3), _client())
    return [rule_group("certificates", rules)]


def _certificate_expiring(severity: Severity, days: int) -> Rule:
    return alert(
        "CertificateExpiring",
        severity,
        f"{_SECONDS_LEFT} < {days * _DAY}",
        f"A certificate expires within {days} days",
        "The certificate {{ $labels.cn }}{{ $labels.host }}{{ $labels.name }} expires in "
        "{{ $value | humanizeDuration }}; its renewal is overdue.",
        for_="1h",
        labels={"within": f"{days}d"},
    )


def _client() -> Rule:
    series = "apiserver_client_certificate_expiration_seconds"
    return alert(
        "ClientCertificateExpiring",
        "ticket",
        "histogram_quantile(0.01, sum by (job, le) (\n"
        f"  rate({series}_bucket[5m])\n"
        f")) < {7 * _DAY}\n"
        "and on (job)\n"
        f"sum by (job) (rate({series}_count[5m])) > 0",
        "A client of the API server uses a certificate that expires within 7 days",
        "The first client certificate expires in about {{ $value | humanizeDuration }}: "
        "that of a kubelet, a controller or a user.",
        for_="15m",
    )
