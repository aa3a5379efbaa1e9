"""``dns`` of a service's routing."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.one_of import one_of_errors
from settings.section import Section
from settings.string_formats import AwsRegion, DnsLabel, StringFormat

_HealthCheckId = Annotated[
    str,
    StringFormat(
        "the ID of a health check, which is a UUID",
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        36,
    ),
]


class Route53Records(Section):
    """Routing policy of the records in Amazon Route 53: one of weight, region and failover."""

    set_identifier: DnsLabel
    """Name of this cluster's records among those of the other clusters, like east-1."""
    weight: Annotated[int, Field(ge=0, le=255)] | None = None
    """Share of the answers, relative to the sum of the weights of all clusters. 0: none, unless all
    weights are 0."""
    region: AwsRegion | None = None
    """AWS region of the cluster. A client gets the records of the region with the lowest latency.
    """
    failover: Literal["primary", "secondary"] | None = None
    """Route 53 returns `secondary` while the health check of `primary` fails."""
    health_check_id: _HealthCheckId | None = None
    """Health check of Route 53, which does not return the records while it fails. Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("weight", "region", "failover"))


class DnsSettings(Section):
    """Annotations of the routes, from which external-dns creates the records of the hosts."""

    annotation_prefix: Literal["external-dns.kubernetes.io", "external-dns.alpha.kubernetes.io"] = (
        "external-dns.kubernetes.io"
    )
    """Prefix that external-dns reads. Before its release 0.22 it was
    `external-dns.alpha.kubernetes.io`."""
    ttl_seconds: Annotated[int, Field(ge=1, le=604_800)] | None = None
    """Time for which clients may cache the records, in seconds. Default: that of external-dns."""
    route53: Route53Records | None = None
    """Records of several clusters with the same hosts. Default: one cluster serves the hosts."""
