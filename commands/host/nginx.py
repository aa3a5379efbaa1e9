"""Configuration of nginx: the load balancer of all hosts.

Requests pass two levels in the same nginx. The first chooses the track, by an override or by the
weights; the second an instance of the track. The shares of the tracks are then exact also while
instances are updated, and whatever their number. `upstream` uses smooth weighted round robin, and
the zones share its state between the workers.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from commands.host.deployed_track import DeployedTrack, Instance
from settings import (
    HostSettings,
    Route,
    RoutingSettings,
    Service,
    Track,
    parse_quantity,
)

SOCKETS = "/run/slipway-nginx"
"""Folder of the sockets between the two levels."""
SERVERS = "nginx/servers"
"""Folder below that of the stack, with a file for each instance of a track and port."""
TLS = "tls"
"""Folder below that of the stack, with the certificate and the key of each service with TLS, which
the operator supplies."""
_TIMEOUT_SECONDS = 60
_CONNECT_SECONDS = 5
_ZONE = "64k"

Line = str | tuple[str, Sequence["Line"]]
"""A directive, or a block with its directives."""


def nginx_file(host: HostSettings, tracks: Iterable[DeployedTrack]) -> str:
    """Return the file for the context ``http``."""
    services: dict[str, list[DeployedTrack]] = {}
    for track in tracks:
        if track.service.routes:
            services.setdefault(track.service.name, []).append(track)
    lines: list[Line] = [
        # Requests that belong to no service, unless the port has a `default_server`.
        *_unknown_hosts(host, services.values()),
        "map $http_upgrade $slipway_connection { default upgrade; '' close; }",
    ]
    for own in services.values():
        lines += [*_upstreams(own), *_track_servers(own)]
    for name, own in _by_host(services.values()).items():
        lines += _host_servers(host, name, own)
    return _text(lines)


def server_files(instance: Instance) -> Mapping[str, str]:
    """Return the ``server`` of each upstream of an instance, by its file below :data:`SERVERS`.

    An instance that fails as often as a pod that becomes unready gets no requests for a while.
    """
    track, readiness = instance.track, instance.track.service.probes.readiness
    failures = readiness.failure_threshold if readiness else 1
    seconds = readiness.period_seconds * failures if readiness else 10
    return {
        # Named by the address, so that a renamed host keeps its file.
        f"{_instances(track, port)}@{track.host.hosts[instance.host]}-{instance.number}.conf": (
            f"server {instance.endpoint(port)} max_fails={failures} fail_timeout={seconds}s;"
        )
        for port in track.service.routes
    }


def server_names(tracks: Iterable[DeployedTrack]) -> Sequence[str]:
    """Return the names of the hosts in the file."""
    return [*_by_host([[track] for track in tracks])]


def _upstream(track: DeployedTrack, port: str) -> str:
    """Name of the upstream of all requests to a port, on the first level."""
    # No part of a name has a dot, so the names of two services are different.
    return f"{track.project}.{track.service.name}.{port}"


def _direct(track: DeployedTrack, port: str) -> str:
    """Name of the upstream of requests for one track only, on the first level."""
    return f"{track.name}.{port}.direct"


def _instances(track: DeployedTrack, port: str) -> str:
    """Name of the upstream of a track's port, on the second level."""
    return f"{track.name}.{port}.instances"


def _upstreams(tracks: Sequence[DeployedTrack]) -> Iterator[Line]:
    service = tracks[0].service
    for port in service.routes:
        name = _upstream(tracks[0], port)
        weights: dict[Track, DeployedTrack] = {track.role: track for track in tracks}
        yield (
            f"upstream {name}",
            [
                f"zone {name} {_ZONE}",
                *(
                    f"server unix:{_socket(track, port)} weight={weight} max_fails=0"
                    for role, track in weights.items()
                    if (weight := _weight(service, role))
                ),
            ],
        )
        for track in tracks:
            # No level keeps connections alive: an instance that stops, and a worker that ends
            # after a reload, would close one while a request is sent.
            own = _instances(track, port)
            servers = f"{track.folder}/{SERVERS}/{own}@*.conf"
            yield (f"upstream {own}", [f"zone {own} {_ZONE}", f"include {servers}"])
            # A request for one track uses the first level too: the second has its own listener.
            direct = f"server unix:{_socket(track, port)} max_fails=0"
            yield f"upstream {_direct(track, port)}", [direct]
        yield from _override(service, port, tracks)


def _weight(service: Service, role: Track) -> int:
    weight = service.release.canary_weight
    return weight if role == "canary" else 100 - weight


def _override(service: Service, port: str, tracks: Sequence[DeployedTrack]) -> Iterator[Line]:
    """Map of the header, then of the cookie, to the upstream of a request."""
    routing, roles = service.routing, {track.role: track for track in tracks}
    assert routing  # noqa: S101  # it has routes
    override, name = routing.canary_override, _upstream(tracks[0], port)
    choices: list[Line] = [f"default {name}"]
    header, cookie = override.header, override.cookie
    # The name of a variable `$cookie_…` cannot have a hyphen.
    patterns = ((header, "^{}/"), (cookie, f"^[^/]*/(.*; *)?{cookie}={{}}(;|$)"))
    # A blue-green release has an override too; without a version beside stable there is none.
    if "canary" in roles:
        for key, pattern in patterns:
            if key:
                choices += [
                    f'"~{pattern.format(value)}" {_direct(roles[role], port)}'
                    for value, role in (("always", "canary"), ("never", "stable"))
                ]
    value = f"$http_{header.lower().replace('-', '_')}" if header else ""
    yield f'map "{value}/$http_cookie" ${_variable(name)}', choices


def _track_servers(tracks: Sequence[DeployedTrack]) -> Iterator[Line]:
    """The second level: a listener for each track and port."""
    for track in tracks:
        for port, route in track.service.routes.items():
            listener = f"listen unix:{_socket(track, port)}"
            target = _instances(track, port)
            is_http2 = route.protocol != "http"
            yield (
                "server",
                [
                    f"{listener} http2" if is_http2 else listener,
                    "access_log off",
                    f"client_max_body_size {_body_size(route)}",
                    ("location /", [*_proxy(route, target), *_forwarded(route, is_first=False)]),
                ],
            )


def _by_host(
    services: Iterable[Sequence[DeployedTrack]],
) -> dict[str, list[tuple[Sequence[DeployedTrack], str, Route, str]]]:
    """Service, port, route and upstream of each host."""
    hosts: dict[str, list[tuple[Sequence[DeployedTrack], str, Route, str]]] = {}
    for tracks in services:
        service = tracks[0].service
        for port, route in service.routes.items():
            for host in route.hosts:
                variable = f"${_variable(_upstream(tracks[0], port))}"
                hosts.setdefault(host, []).append((tracks, port, route, variable))
        preview = service.release.blue_green.preview_host
        idle = next((one for one in tracks if one.role == "canary"), None)
        if preview and idle and (routing := service.routing):
            direct = _direct(idle, routing.port)
            hosts.setdefault(preview, []).append((tracks, routing.port, routing, direct))
    return hosts


def _host_servers(
    host: HostSettings,
    name: str,
    routes: Sequence[tuple[Sequence[DeployedTrack], str, Route, str]],
) -> Iterator[Line]:
    track = routes[0][0][0]
    service = track.service
    routing, tls = _routing(service), service.tls
    plain = f"listen {host.listen_address}:{routing.external_port}"
    secure = f"listen {host.listen_address}:{routing.external_tls_port} ssl http2"
    certificate: list[Line] = [
        *_certificate(track),
        "ssl_protocols TLSv1.2 TLSv1.3",
        "ssl_session_cache shared:slipway:1m",
    ]
    if tls.is_enabled and tls.hsts_seconds:
        certificate.append(
            f'add_header Strict-Transport-Security "max-age={tls.hsts_seconds}" always'
        )
    listeners: list[Line] = [plain]
    if tls.is_enabled:
        listeners = [secure, *certificate] if tls.redirect else [plain, secure, *certificate]
    if tls.is_enabled and tls.redirect:
        port = "" if routing.external_tls_port == 443 else f":{routing.external_tls_port}"  # noqa: PLR2004
        redirect = f"return 308 https://$host{port}$request_uri"
        yield "server", [plain, f"server_name {name}", redirect]
    locations: list[Line] = []
    for _, _, route, upstream in routes:
        body = [
            f"client_max_body_size {_body_size(route)}",
            *_proxy(route, upstream),
            "proxy_next_upstream off" if route.protocol == "http" else "grpc_next_upstream off",
            *_forwarded(route, is_first=True),
        ]
        for path in route.paths:
            # As pathType Prefix: /api has /api and /api/…, and not /apis.
            prefix = path.rstrip("/")
            locations.append((f"location {prefix}/", body))
            if prefix:
                locations.append((f"location = {prefix}", body))
    yield "server", [*listeners, f"server_name {name}", *locations]


def _unknown_hosts(
    host: HostSettings, services: Iterable[Sequence[DeployedTrack]]
) -> Iterator[Line]:
    listeners: dict[str, tuple[DeployedTrack, Sequence[Line]]] = {}
    for track, *_ in services:
        routing = _routing(track.service)
        listeners.setdefault(f"{routing.external_port}", (track, ()))
        if track.service.tls.is_enabled:
            secure = f"{routing.external_tls_port} ssl http2"
            listeners.setdefault(secure, (track, _certificate(track)))
    for port, (track, certificate) in listeners.items():
        name = f"server_name {track.project}.invalid"  # of this stack only
        listen = f"listen {host.listen_address}:{port}"
        yield "server", [listen, name, *certificate, "return 404"]


def _certificate(track: DeployedTrack) -> list[Line]:
    file = f"{track.folder}/{TLS}/{track.service.name}"
    return [f"ssl_certificate {file}.crt", f"ssl_certificate_key {file}.key"]


def _proxy(route: Route, upstream: str) -> Iterator[Line]:
    kind, scheme = ("proxy", "http") if route.protocol == "http" else ("grpc", "grpc")
    seconds = route.request_timeout_seconds or _TIMEOUT_SECONDS
    yield f"{kind}_pass {scheme}://{upstream}"
    yield f"{kind}_connect_timeout {_CONNECT_SECONDS}s"
    yield f"{kind}_read_timeout {seconds}s"
    yield f"{kind}_send_timeout {seconds}s"


def _forwarded(route: Route, *, is_first: bool) -> Iterator[Line]:
    """Headers that the proxy sets, as those of an ingress controller."""
    kind = "proxy" if route.protocol == "http" else "grpc"
    if kind == "proxy":
        yield "proxy_http_version 1.1"
        yield "proxy_set_header Upgrade $http_upgrade"
        yield "proxy_set_header Connection $slipway_connection"
    yield f"{kind}_set_header Host $http_host"
    if is_first:
        # Replaced, not appended: a client could forge an address.
        yield f"{kind}_set_header X-Forwarded-For $remote_addr"
        yield f"{kind}_set_header X-Forwarded-Proto $scheme"
        yield f"{kind}_set_header X-Forwarded-Host $http_host"
        yield f"{kind}_set_header X-Real-IP $remote_addr"


def _routing(service: Service) -> RoutingSettings:
    assert service.routing  # noqa: S101  # it has routes
    return service.routing


def _body_size(route: Route) -> str:
    return f"{parse_quantity(route.max_body_size):.0f}" if route.max_body_size else "1m"


def _socket(track: DeployedTrack, port: str) -> str:
    # The path has at most 107 characters.
    return f"{SOCKETS}/{_checksum(_instances(track, port))}.sock"


def _variable(name: str) -> str:
    # It has no hyphens, and nginx limits its length.
    return f"slipway_{_checksum(name)}"


def _checksum(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _text(lines: Iterable[Line], indent: str = "") -> str:
    text = ""
    for line in lines:
        if isinstance(line, str):
            end = "" if line.endswith("}") else ";"
            text += f"{indent}{line}{end}\n"
        else:
            head, body = line
            text += f"{indent}{head} {{\n{_text(body, f'{indent}    ')}{indent}}}\n"
    return text
