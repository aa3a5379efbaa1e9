"""Certificates that end soon."""

from components.observability.rule import Alert, Group, Severity

_DAY = 24 * 3600
# Traefik, ingress-nginx, cert-manager: whichever the cluster has. Traefik goes on showing the
# certificate that was renewed beside its successor.
_LEFT = (
    "(\n"
    "  max by (cn) (traefik_tls_certs_not_after)\n"
    "or\n"
    "  min by (host) (nginx_ingress_controller_ssl_expire_time_seconds > 0)\n"
    "or\n"
    "  min by (exported_namespace, namespace, name) "
    "(certmanager_certificate_expiration_timestamp_seconds > 0)\n"
    ") - time()"
)


def groups() -> tuple[Group, ...]:
    """Of what clients are shown, and of what clients of the API server show."""
    return (Group("certificates", (_shown("ticket", 14), _shown("page", 3), _client())),)


def _shown(severity: Severity, days: int) -> Alert:
    return Alert(
        "CertificateExpiring",
        severity,
        f"{_LEFT} < {days * _DAY}",
        f"A certificate ends within {days} days",
        "The certificate {{ $labels.cn }}{{ $labels.host }}{{ $labels.name }} ends in "
        "{{ $value | humanizeDuration }}; its renewal is overdue.",
        lasting="1h",
        labels={"within": f"{days}d"},
    )


def _client() -> Alert:
    series = "apiserver_client_certificate_expiration_seconds"
    return Alert(
        "ClientCertificateExpiring",
        "ticket",
        "histogram_quantile(0.01, sum by (job, le) (\n"
        f"  rate({series}_bucket[5m])\n"
        f")) < {7 * _DAY}\n"
        "and on (job)\n"
        f"sum by (job) (rate({series}_count[5m])) > 0",
        "Somebody asks the API server with a certificate that ends within 7 days",
        "The client certificate that ends first does so in about {{ $value | humanizeDuration }}: "
        "a kubelet's, a controller's or a person's.",
        lasting="15m",
    )
