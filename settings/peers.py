"""``peers`` of a service: destinations and sources of connections."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.errors import MISSING, FieldError
from settings.int_or_string import IntOrString
from settings.one_of import one_of_errors
from settings.ports import PortName
from settings.section import Section
from settings.string_formats import (
    Cidr,
    DnsLabel,
    HostName,
    LabelKey,
    LabelValue,
    ServiceName,
)

_PORT_REF = IntOrString(
    "a port number from 1 to 65535, or the name of a container port, like http",
    minimum=1,
    maximum=65535,
    pattern="(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*",
    max_length=15,
)
PortRefs = Annotated[
    tuple[Annotated[int | str, _PORT_REF], ...], Field(strict=False, max_length=50)
]
PortNames = Annotated[tuple[PortName, ...], Field(strict=False, max_length=20)]


class PeerTo(Section):
    """Destination of connections: one of `service`, `namespace`, `host` and `cidr`."""

    service: ServiceName | None = None
    """Service of this stack."""
    namespace: DnsLabel | None = None
    """Namespace."""
    pod_labels: dict[LabelKey, LabelValue] = {}
    """Labels of the pods in `namespace`. Default: all pods."""
    host: HostName | None = None
    """Host outside the cluster, at any address: a NetworkPolicy cannot select by name."""
    cidr: Cidr | None = None
    """IP addresses."""
    ports: PortRefs = ()
    """TCP ports, of a service by name. Default for a service: all of its ports."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("service", "namespace", "host", "cidr"))
        if self.service is None and not self.ports:
            yield FieldError("ports", MISSING, "the ports to connect to")
        if self.pod_labels and self.namespace is None:
            yield FieldError("podLabels", self.pod_labels, "no labels without namespace")
        names = [port for port in self.ports if isinstance(port, str)]
        if names and (self.host or self.cidr):
            yield FieldError("ports", self.ports, "port numbers with host or cidr")


class PeerFrom(Section):
    """Source of connections: one of `service`, `namespace` and `cidr`."""

    service: ServiceName | None = None
    """Service of this stack."""
    namespace: DnsLabel | None = None
    """Namespace."""
    pod_labels: dict[LabelKey, LabelValue] = {}
    """Labels of the pods in `namespace`. Default: all pods."""
    cidr: Cidr | None = None
    """IP addresses."""
    ports: PortNames = ()
    """Names of this service's ports. Default: all of its ports."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from one_of_errors(self, ("service", "namespace", "cidr"))
        if self.pod_labels and self.namespace is None:
            yield FieldError("podLabels", self.pod_labels, "no labels without namespace")


class Peers(Section):
    """Connections that are allowed besides those of the proxy, of monitoring and to DNS."""

    to: Annotated[tuple[PeerTo, ...], Field(strict=False, max_length=100)] = ()
    """Destinations of connections. A service of this stack also accepts the connections."""
    from_: Annotated[tuple[PeerFrom, ...], Field(alias="from", strict=False, max_length=100)] = ()
    """Sources of connections. A service of this stack is also allowed to connect."""
