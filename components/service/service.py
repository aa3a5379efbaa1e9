"""Resources of one service, from its image to its routing."""

from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi

from components.istio_sidecar import IstioSidecar
from components.namespace import Namespace
from components.observability.monitored_service import MonitoredService
from components.observability.release_gates import prometheus_url, release_gates
from components.observability.trace_receiver import TraceReceiver
from components.platform.platform import Platform
from components.routing import ROUTERS, Backend, DestinationRules, ServiceTls, TrafficSplit
from components.service.containers import encrypted_environment
from components.service.credentials import Credentials
from components.service.image import ContainerImage
from components.service.network_policy import PeerPolicies
from components.service.progressive import Analysis
from components.service.release import Release, ReleaseArgs
from settings import (
    BuilderSettings,
    DeliverySettings,
    IstioSettings,
    Network,
    ObservabilitySettings,
    Ports,
    RegistrySettings,
    RoutingSettings,
    Service,
    Track,
)


class DeployedServiceArgs(TypedDict):
    """Arguments of :class:`DeployedService`."""

    service: Service
    namespace: Namespace
    cluster: pulumi.ProviderResource
    registry: RegistrySettings
    builder: BuilderSettings
    network: Network
    """Namespaces of the proxy and of Prometheus, which connect to the pods."""
    observability: ObservabilitySettings
    """Receiver of spans, and the metrics that gates query."""
    platform: Platform
    """Issuers of the certificates, stores of external secrets, and the controller of releases."""
    stack_ports: Mapping[str, Ports]
    """Ports of each service of the stack."""
    istio: IstioSettings | None
    """Mesh of the pods. ``None``: they have no sidecar."""
    delivery: DeliverySettings


class DeployedService:
    """Credentials, images, release and routing of a service.

    Not a component resource: with another parent, deployed resources would be replaced.
    """

    outputs: dict[str, Any]
    """Version of each track; with routing, the URL and the host names."""
    monitored: MonitoredService

    def __init__(self, args: DeployedServiceArgs) -> None:
        service, namespace, registry = args["service"], args["namespace"].name, args["registry"]
        name, routing, providers = service.name, service.routing, [args["cluster"]]
        network, observability, platform = args["network"], args["observability"], args["platform"]
        sidecar = None
        if istio := args["istio"]:
            is_measured = service.request_source == "proxy"
            proxy = observability.proxy.implementation
            sidecar = IstioSidecar(istio, is_measured and proxy == "istio-sidecar")
        self.monitored = MonitoredService.of(
            service, namespace, observability, has_sidecar=sidecar is not None
        )
        in_namespace = pulumi.ResourceOptions(providers=providers, depends_on=[args["namespace"]])
        # All tracks read the same objects: they have the keys of all, with the service's values.
        tracks = [*map(service.of_track, service.release.tracks), service]
        credentials = Credentials(
            name,
            {
                "namespace": namespace,
                "secrets": {key: entry for one in tracks for key, entry in one.secrets.items()},
                "versions": {
                    version.version: service.of_track(track).secrets
                    for track, version in service.release.tracks.items()
                },
                "environment": {
                    key: value
                    for one in tracks
                    for key, value in encrypted_environment(one).items()
                },
                "stores": platform.secret_stores,
                "registry": registry,
                "is_tracked": service.release.strategy != "progressive",
            },
            opts=in_namespace,
        )
        if any(peer.service for peer in (*service.peers.to, *service.peers.from_)):
            PeerPolicies(
                f"{name}-peers",
                {"service": service, "namespace": namespace, "stack_ports": args["stack_ports"]},
                opts=in_namespace,
            )
        images: dict[Track, ContainerImage] = {
            track: ContainerImage(
                f"{name}-{track}",
                {
                    "name": registry.image_name(service.repository),
                    "service": name,
                    "image": service.image,
                    "registry": registry,
                    "builder": args["builder"],
                    "release": version,
                    "source": service.source,
                },
            )
            for track, version in service.release.tracks.items()
        }
        release_args: ReleaseArgs = {
            "release": service.release,
            "images": {track: image.reference for track, image in images.items()},
            "workload": {
                "namespace": namespace,
                "service": service,
                "network": network,
                "traces": TraceReceiver.of(observability, network, namespace),
                "credentials": credentials.names,
                "stack_ports": args["stack_ports"],
                "sidecar": sidecar,
            },
            "analysis": Analysis(
                release_gates(self.monitored, service.release.progressive),
                prometheus_url(observability, network),
                platform.flagger,
            ),
        }
        tls: list[pulumi.Resource] = []
        if service.tls_hosts:
            issuers = [platform.issuers] if platform.issuers else []
            tls.append(
                ServiceTls(
                    f"{name}-tls",
                    {"service": service, "namespace": namespace},
                    opts=pulumi.ResourceOptions(
                        providers=providers,
                        depends_on=[args["namespace"], *issuers],
                    ),
                )
            )
        # A pod waits for a Secret that does not exist: first the external ones are read.
        has_external = any(entry.external for one in tracks for entry in one.secrets.values())
        before = [args["namespace"], *([credentials] if has_external else ())]
        release = Release(
            name,
            release_args,
            opts=pulumi.ResourceOptions(providers=providers, depends_on=before),
        )
        self.outputs = {"stable": release.stable, "canary": release.canary}
        if routing is None:
            return
        if service.is_knative:
            # Its DomainMappings route the requests.
            self.outputs |= {"url": routing.url, "hosts": [*routing.hosts]}
            return
        after_release = pulumi.ResourceOptions(
            providers=providers, depends_on=[release, args["namespace"], *tls]
        )
        splits = {
            service.route_name(port): (
                route,
                TrafficSplit(
                    route.hosts,
                    route.paths,
                    _routed(release.backends(port), routing, args["delivery"]),
                    routing.canary_override,
                ),
            )
            for port, route in service.routes.items()
            if not is_routed_by_flagger(service, port)
        }
        if host := service.release.blue_green.preview_host:
            idle = (release.idle_backend(routing.port),)
            split = TrafficSplit((host,), routing.paths, idle, routing.canary_override)
            splits[service.preview_name] = routing, split
        outliers = routing.istio.outlier_detection
        if routing.backend == "istio" and outliers:
            hosts = {one.service: None for _, split in splits.values() for one in split.backends}
            DestinationRules(
                f"{name}-destinations",
                {
                    "service": name,
                    "namespace": namespace,
                    "hosts": [*hosts],
                    "outlier_detection": outliers,
                },
                opts=after_release,
            )
        for route_name, (route, split) in splits.items():
            ROUTERS[routing.backend](
                route_name,
                {
                    "service": name,
                    "namespace": namespace,
                    "split": split,
                    "route": route,
                    "settings": routing,
                    "tls_secret": service.tls_secret,
                },
                opts=after_release,
            )
        self.outputs |= {"url": routing.url, "hosts": [*routing.hosts]}


def _routed(
    backends: tuple[Backend, ...], routing: RoutingSettings, delivery: DeliverySettings
) -> tuple[Backend, ...]:
    """Return the back ends that have a route."""
    if delivery.is_gitops and routing.backend == "ingress":
        # A change of the canary's Ingress, which gets no address, would not end in Argo CD: a
        # canary that has ended would stay, and no later commit would be synced.
        return tuple(one for one in backends if one.is_running or one is backends[0])
    return backends


def is_routed_by_flagger(service: Service, port: str) -> bool:
    """Return True if Flagger creates the route to a container port."""
    routing = service.routing
    return (
        routing is not None
        and service.release.strategy == "progressive"
        and routing.backend in ("gateway", "istio")
        and routing.port == port
    )
