"""``routing`` of a service."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.errors import FieldError
from settings.section import Section
from settings.string_formats import DnsLabel, HeaderName, HostName, UrlPath

RoutingBackend = Literal["ingress", "gateway"]
_HTTP_PORT = 80


class IngressSettings(Section):
    """Ingress with the canary annotations of ingress-nginx, which Traefik supports too."""

    class_name: DnsLabel = "nginx"
    """IngressClass name."""
    await_address: bool = True
    """Waits for the Ingress to have an address. Disable it for a controller that sets none."""


class GatewaySettings(Section):
    """Gateway that the HTTPRoute is attached to."""

    name: DnsLabel = "public"
    """Gateway name."""
    namespace: DnsLabel = "gateway-system"
    """Gateway namespace. The Gateway must allow routes from the service's namespace."""
    section_name: DnsLabel | None = None
    """Listener name. Default: all listeners that allow the route."""


class CanaryOverride(Section):
    """Header and cookie that route a request to the canary (`always`) or not (`never`)."""

    header: HeaderName | None = "X-Canary"
    """Header name. `null`: none."""
    cookie: HeaderName | None = None
    """Cookie name. Default: none."""


class RoutingSettings(Section):
    """HTTP routing from outside the cluster to the service."""

    backend: RoutingBackend = "ingress"
    """`ingress` creates Ingresses, `gateway` an HTTPRoute of the Gateway API."""
    host: HostName
    """Host name of the service."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """External port of the proxy."""
    paths: Annotated[tuple[UrlPath, ...], Field(strict=False, min_length=1, max_length=20)] = ("/",)
    """Path prefixes."""
    ingress: IngressSettings = IngressSettings()
    gateway: GatewaySettings = GatewaySettings()
    canary_override: CanaryOverride = CanaryOverride()

    def cross_field_errors(self) -> Iterator[FieldError]:
        other = "gateway" if self.backend == "ingress" else "ingress"
        if other in self.model_fields_set:
            yield FieldError("backend", self.backend, f'"{other}", or remove routing.{other}')
        if len(set(self.paths)) < len(self.paths):
            yield FieldError("paths", self.paths, "each path once")

    @property
    def url(self) -> str:
        """External URL of the service."""
        port = "" if self.port == _HTTP_PORT else f":{self.port}"
        return f"http://{self.host}{port}"
