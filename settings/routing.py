"""``routing`` of a service."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Literal, get_args

from pydantic import Field

from settings.dns import DnsSettings
from settings.errors import MISSING, FieldError
from settings.istio_routing import IstioRouting
from settings.ports import HTTP, PortName
from settings.quantities import Memory
from settings.section import Section
from settings.string_formats import DnsLabel, HeaderName, RouteHost, UrlPath
from settings.tls import TlsSettings

RoutingBackend = Literal["ingress", "gateway", "istio"]
_HTTP_PORT = 80
_HTTPS_PORT = 443
WEIGHTED = "weighted"
"""Suffix of the Ingress of the canary. Flagger names its own ``-canary``."""
PREVIEW = "preview"
"""Suffix of the objects that route the requests of a preview host."""
REDIRECT = "redirect"
"""Suffix of the HTTPRoute that redirects HTTP to HTTPS."""
_SUFFIXES = ("canary", WEIGHTED, PREVIEW, REDIRECT)


def is_wildcard(host: str) -> bool:
    """Return True for a wildcard host, such as ``*.example.com``."""
    return host.startswith("*.")


class IngressSettings(Section):
    """Ingress with the canary annotations of ingress-nginx, which Traefik supports too."""

    class_name: DnsLabel = "nginx"
    """IngressClass name."""
    await_address: bool = True
    """Waits for the Ingress to have an address. Disable it for a controller that sets none."""


class GatewaySettings(Section):
    """Gateway that the route is attached to."""

    name: DnsLabel = "public"
    """Gateway name."""
    namespace: DnsLabel = "gateway-system"
    """Gateway namespace. The Gateway must allow routes from the service's namespace."""
    section_name: DnsLabel | None = None
    """Listener name. Default: all listeners that allow the route."""
    tls_port: Annotated[int, Field(ge=1, le=65535)] = 443
    """Port of the listeners for the hosts of a service with TLS. Traefik needs an entry point with
    the same port."""
    class_name: DnsLabel | None = None
    """GatewayClass of a Gateway of the service's own for these listeners, for an implementation
    without ListenerSets, such as Traefik 3.7. Default: a ListenerSet adds them to the Gateway,
    which must allow it."""


class CanaryOverride(Section):
    """Header and cookie that route a request to the canary (`always`) or not (`never`)."""

    header: HeaderName | None = "X-Canary"
    """Header name. `null`: none."""
    cookie: HeaderName | None = None
    """Cookie name. Default: none."""


class Route(Section):
    """Requests that are routed to a container port."""

    hosts: Annotated[tuple[RouteHost, ...], Field(strict=False, min_length=1, max_length=16)]
    """Host names. The first is that of the service's URL. `*.example.com` are all names that have
    one label more than `example.com`."""
    paths: Annotated[tuple[UrlPath, ...], Field(strict=False, min_length=1, max_length=20)] = ("/",)
    """Path prefixes, on every host."""
    protocol: Literal["http", "h2c", "grpc"] = "http"
    """Protocol of the container port. `http` includes WebSockets; `h2c` is HTTP/2 without TLS."""
    request_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Timeout of a request to the service, in seconds. Default: the proxy's; 60 s for nginx."""
    max_body_size: Memory | None = None
    """Maximum size of a request body. Default: the proxy's; 1Mi for nginx."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        if is_wildcard(self.hosts[0]):
            allowed = "first a host without *, which is that of the URL"
            yield FieldError("hosts", self.hosts, allowed)
        for key, values in (("hosts", self.hosts), ("paths", self.paths)):
            if len(set(values)) < len(values):
                yield FieldError(key, values, f"each {key.removesuffix('s')} once")


class RoutingSettings(Route):
    """Routing from outside the cluster to the service."""

    backend: RoutingBackend = "ingress"
    """`ingress` creates Ingresses, `gateway` HTTPRoutes and GRPCRoutes of the Gateway API, `istio`
    VirtualServices and DestinationRules."""
    port: PortName = HTTP
    """Name of the container port that requests are routed to."""
    additional_ports: Annotated[dict[PortName, Route], Field(max_length=10)] = {}
    """Further container ports that requests are routed to, by name."""
    external_port: Annotated[int, Field(ge=1, le=65535)] = 80
    """External port of the proxy."""
    external_tls_port: Annotated[int, Field(ge=1, le=65535)] = _HTTPS_PORT
    """External port of the proxy for HTTPS."""
    tls: TlsSettings = TlsSettings.model_construct()
    ingress: IngressSettings = IngressSettings.model_construct()
    gateway: GatewaySettings = GatewaySettings.model_construct()
    istio: IstioRouting = IstioRouting.model_construct()
    canary_override: CanaryOverride = CanaryOverride.model_construct()
    dns: DnsSettings | None = None
    """Annotations for external-dns. Default: none."""

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from super().cross_field_errors()
        for other in get_args(RoutingBackend):
            is_changed = getattr(self, other) != type(self).model_fields[other].default
            if other != self.backend and is_changed:
                yield FieldError("backend", self.backend, f'"{other}", or remove routing.{other}')
        for port, route in self.additional_ports.items():
            if port in (self.port, *_SUFFIXES):
                reason = "the name of routing.port" if port == self.port else "a suffix of objects"
                allowed = f"another port than {port}, {reason}"
                yield FieldError(f"additionalPorts.{port}", [*route.hosts], allowed)
        yield from self._tls_errors()
        if self.backend == "gateway":
            yield from _gateway_errors(self)
            for port, route in self.additional_ports.items():
                for error in _gateway_errors(route):
                    yield replace(error, key=f"additionalPorts.{port}.{error.key}")
                is_mixed = (route.protocol == "grpc") != (self.protocol == "grpc")
                if is_mixed and {*route.hosts} & {*self.hosts}:
                    allowed = (
                        "other hosts than routing.hosts: a GRPCRoute and an HTTPRoute share none"
                    )
                    yield FieldError(f"additionalPorts.{port}.hosts", route.hosts, allowed)
        if self.backend == "istio":
            for port, route in self.routes.items():
                if route.max_body_size is not None:
                    key = "" if port == self.port else f"additionalPorts.{port}."
                    allowed = "null: a VirtualService has no limit"
                    yield FieldError(f"{key}maxBodySize", route.max_body_size, allowed)

    def _tls_errors(self) -> Iterator[FieldError]:
        tls = self.tls
        if not tls.is_enabled:
            return
        if self.backend == "istio":
            reason = "a Gateway of Istio reads certificates of its own namespace only"
            yield FieldError("tls.mode", tls.mode, f'"off", or the backend "gateway": {reason}')
            return
        if self.backend == "gateway":
            if tls.redirect and self.gateway.section_name is None:
                allowed = "the name of the HTTP listener to redirect from, or tls.redirect false"
                yield FieldError("gateway.sectionName", MISSING, allowed)
            return
        if tls.hsts_seconds:
            allowed = '0, or the backend "gateway": an Ingress sets no response headers'
            yield FieldError("tls.hstsSeconds", tls.hsts_seconds, allowed)
        if tls.redirect and self.external_tls_port != _HTTPS_PORT:
            reason = f"an Ingress redirects to port {_HTTPS_PORT}, not to externalTlsPort"
            allowed = f'false, or the backend "gateway": {reason}'
            yield FieldError("tls.redirect", tls.redirect, allowed)

    @property
    def routes(self) -> Mapping[PortName, Route]:
        """The routes by the name of their container port."""
        return {self.port: self, **self.additional_ports}

    @property
    def has_redirect_route(self) -> bool:
        """True if an HTTPRoute redirects HTTP to HTTPS. An Ingress has an annotation for it."""
        return self.backend == "gateway" and self.tls.is_enabled and self.tls.redirect

    @property
    def url(self) -> str:
        """External URL of the service."""
        scheme, number, default = "http", self.external_port, _HTTP_PORT
        if self.tls.is_enabled:
            scheme, number, default = "https", self.external_tls_port, _HTTPS_PORT
        port = "" if number == default else f":{number}"
        return f"{scheme}://{self.hosts[0]}{port}"


def _gateway_errors(route: Route) -> Iterator[FieldError]:
    if route.max_body_size is not None:
        yield FieldError("maxBodySize", route.max_body_size, "null: the Gateway API has no limit")
    if route.protocol != "grpc":
        return
    if route.paths != ("/",):
        yield FieldError("paths", route.paths, '["/"]: a GRPCRoute has no paths')
    if route.request_timeout_seconds is not None:
        allowed = "null: a GRPCRoute has no timeouts"
        yield FieldError("requestTimeoutSeconds", route.request_timeout_seconds, allowed)
