"""``slipway:service``."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.errors import FieldError
from settings.secret import SecretToken
from settings.section import Section
from settings.string_formats import ServiceName

Port = Annotated[int, Field(ge=1024, le=65535)]


class Service(Section):
    """Name and ports of the service."""

    name: ServiceName = "beacon"
    """Name of the service, and the prefix of its objects' names."""
    port: Port = 8080
    """Container port for requests."""
    admin_port: Port = 9090
    """Container port for administration and metrics; not routed from outside the cluster."""
    admin_token: SecretToken | None = None
    """Bearer token for fault injection on the admin port. Generated if omitted."""
    metrics: bool = True
    """True if the admin port serves Prometheus metrics at `/metrics`."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if self.port == self.admin_port:
            yield FieldError("adminPort", self.admin_port, "another port than service.port")
