"""Annotations of the routes, from which external-dns creates DNS records."""

from typing import Any

import pytest

from settings import RoutingBackend
from tests.unit.components.routing.splits import routed, split

LEGACY = "external-dns.alpha.kubernetes.io"
PREFIX = "external-dns.kubernetes.io"
CHECK = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize("backend", ["ingress", "gateway"])
@pytest.mark.parametrize(
    ("dns", "expected"),
    [
        ({"ttlSeconds": 60}, {f"{PREFIX}/ttl": "60"}),
        (
            {"route53": {"setIdentifier": "east-1", "weight": 0, "healthCheckId": CHECK}},
            {
                f"{PREFIX}/set-identifier": "east-1",
                f"{PREFIX}/aws-weight": "0",
                f"{PREFIX}/aws-health-check-id": CHECK,
            },
        ),
        (
            {"route53": {"setIdentifier": "sg-1", "region": "ap-southeast-1"}},
            {f"{PREFIX}/set-identifier": "sg-1", f"{PREFIX}/aws-region": "ap-southeast-1"},
        ),
        (
            {
                "annotationPrefix": LEGACY,
                "route53": {"setIdentifier": "east-2", "failover": "secondary"},
            },
            {f"{LEGACY}/set-identifier": "east-2", f"{LEGACY}/aws-failover": "SECONDARY"},
        ),
    ],
)
def test_every_route_of_a_host_has_the_annotations_of_its_records(
    backend: RoutingBackend, dns: dict[str, Any], expected: dict[str, str]
) -> None:
    registry = routed(backend, split(), dns=dns)
    routes = [*registry.of_kind("Ingress"), *registry.of_kind("HTTPRoute")]
    assert len(routes) == (2 if backend == "ingress" else 1)
    for route in routes:
        annotations = route.inputs["metadata"]["annotations"]
        found = {key: one for key, one in annotations.items() if key.startswith((PREFIX, LEGACY))}
        assert found == expected
