"""Annotations of external-dns, which creates the DNS records of a route's hosts."""

from settings import DnsSettings


def dns_annotations(dns: DnsSettings | None) -> dict[str, str]:
    """Annotations of an Ingress, HTTPRoute or GRPCRoute. Empty: the defaults of external-dns."""
    if dns is None:
        return {}
    values: dict[str, object] = {"ttl": dns.ttl_seconds}
    if records := dns.route53:
        values |= {
            "set-identifier": records.set_identifier,
            "aws-weight": records.weight,
            "aws-region": records.region,
            "aws-failover": records.failover and records.failover.upper(),
            "aws-health-check-id": records.health_check_id,
        }
    return {
        f"{dns.annotation_prefix}/{key}": str(value)
        for key, value in values.items()
        if value is not None
    }
