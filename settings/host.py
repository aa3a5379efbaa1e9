"""``slipway:host``."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import DnsLabel, ServiceName, StringFormat, Url

Runtime = Literal["systemd", "compose", "supervisor"]
FIRST_PORT = 18_000
"""First published port of the only service of a stack."""
PUBLISHED_PORTS = 200
"""Published ports of a service on a host: two tracks of up to nine instances of up to ten ports."""
MAX_INSTANCES = 9
BALANCER = "balancer"
"""Name of a host with nginx alone in the inventory."""


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


_Address = Annotated[
    str, StringFormat("an IPv4 address, like 10.0.0.11", r"[0-9.]+", 15, _is_address)
]


class HostSettings(Section):
    """Hosts without Kubernetes, for `make host`."""

    runtime: Runtime = "systemd"
    """Program that runs the services: `systemd` units, Docker `compose`, or `supervisor` with
    `runc`."""
    hosts: Annotated[dict[DnsLabel, _Address], Field(min_length=1, max_length=50)] = {
        "host-1": "127.0.0.1"
    }
    """Address of each host by name. A loopback address: nginx, the services and Prometheus run on
    the same host."""
    balancer: _Address | None = None
    """Address of the host with nginx. Default: the first host by name."""
    listen_address: _Address = "0.0.0.0"  # noqa: S104  # of a load balancer
    """Address that nginx listens on, with the ports `routing.externalPort` and
    `routing.externalTlsPort`."""
    instances: Annotated[int, Field(ge=1, le=MAX_INSTANCES)] = 2
    """Number of instances of each track on each host. An update needs two, or two hosts."""
    first_ports: dict[ServiceName, Annotated[int, Field(ge=1024, le=65_335, multiple_of=10)]] = {}
    """First of 200 ports of a service that its instances are published on, by service: ten for each
    instance. Default: 18000. Required in a stack of several services."""
    otlp_endpoint: Url | None = None
    """OTLP/HTTP receiver of the traces. Default: none, the services export no traces."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        for (one, port), (other, taken) in combinations(self.first_ports.items(), 2):
            if abs(port - taken) < PUBLISHED_PORTS:
                allowed = f"a port {PUBLISHED_PORTS} or more from that of {one}, {port}"
                yield FieldError(f"firstPorts.{other}", taken, allowed)
        for (one, address), (other, taken) in combinations(self.hosts.items(), 2):
            if address == taken:
                yield FieldError(f"hosts.{other}", taken, f"another address than that of {one}")
        if BALANCER in self.hosts and self.balancer_address not in self.hosts.values():
            allowed = "another name: the host with nginx alone has this one"
            yield FieldError("hosts", BALANCER, allowed)
        loopback = [name for name, one in self.hosts.items() if IPv4Address(one).is_loopback]
        if loopback and len(self.hosts) > 1 and self.runtime != "compose":
            allowed = "an address that the other hosts can reach"
            yield FieldError(f"hosts.{loopback[0]}", self.hosts[loopback[0]], allowed)

    @property
    def balancer_address(self) -> str:
        """Address of the host with nginx."""
        return self.balancer or self.hosts[min(self.hosts)]
