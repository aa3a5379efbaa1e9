"""Alerts on certificates that expire soon."""

from components.observability.rule import Rule, RuleGroup, Severity, alert, rule_group

_DAY = 24 * 3600
_RENEWAL_SECONDS = 3600
"""Maximum duration of a renewal, before the alert becomes pending."""
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
    rules = (
        _certificate_expiring("ticket", 14),
        _certificate_expiring("page", 3),
        _issuance_failing(),
        _client(),
    )
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


def _issuance_failing() -> Rule:
    labels = "exported_namespace, namespace, name, issuer_name"
    return alert(
        "CertificateIssuanceFailing",
        "ticket",
        f'max by ({labels}) (certmanager_certificate_ready_status{{condition="False"}}) == 1\n'
        "or\n"
        f"max by ({labels}) (\n"
        "  time() - (certmanager_certificate_renewal_timestamp_seconds > 0)\n"
        f") > {_RENEWAL_SECONDS}",
        "cert-manager does not issue or renew a certificate",
        "The issuer {{ $labels.issuer_name }} does not issue the certificate {{ $labels.name }}. "
        "`kubectl describe certificate {{ $labels.name }}` has the reason.",
        for_="10m",
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
