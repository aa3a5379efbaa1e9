"""Resources of one service, from its image to its routing."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components.namespace import Namespace
from components.observability.trace_receiver import TraceReceiver
from components.routing import ROUTERS, Router, RouterArgs, TrafficSplit
from components.service.credentials import Credentials
from components.service.image import ContainerImage
from components.service.release import Release
from settings import BuilderSettings, Network, RegistrySettings, Service, Track


class DeployedServiceArgs(TypedDict):
    """Arguments of :class:`DeployedService`."""

    service: Service
    namespace: Namespace
    cluster: pulumi.ProviderResource
    registry: RegistrySettings
    builder: BuilderSettings
    network: Network
    """Namespaces from which the pods accept connections."""
    traces: NotRequired[TraceReceiver | None]
    """Receiver of spans. Default ``None``: tracing is disabled."""


class DeployedService:
    """Credentials, images, release and routing of a service.

    Not a component resource: with another parent, deployed resources would be replaced.
    """

    router: Router
    """Depends on all other resources of the service."""
    outputs: Mapping[str, Any]
    """URL, host names, and the version of each track."""

    def __init__(self, args: DeployedServiceArgs) -> None:
        service, namespace, registry = args["service"], args["namespace"].name, args["registry"]
        name, routing, providers = service.name, service.routing, [args["cluster"]]
        inside = pulumi.ResourceOptions(providers=providers, depends_on=[args["namespace"]])
        credentials = Credentials(
            name,
            {"namespace": namespace, "token": service.admin_token, "registry": registry},
            opts=inside,
        )
        images: dict[Track, ContainerImage] = {
            track: ContainerImage(
                f"{name}-{track}",
                {
                    "name": f"{registry.host}/{service.repository}",
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
        release = Release(
            name,
            {
                "release": service.release,
                "images": {track: image.reference for track, image in images.items()},
                "workload": {
                    "namespace": namespace,
                    "service": service,
                    "network": args["network"],
                    "traces": args.get("traces"),
                    "credentials": credentials.names,
                },
            },
            opts=inside,
        )
        routed = RouterArgs(
            namespace=namespace,
            split=TrafficSplit(
                routing.host, routing.paths, release.backends, routing.canary_override
            ),
            settings=routing,
            config=service.config,
        )
        released = pulumi.ResourceOptions(providers=providers, depends_on=[release])
        self.router = ROUTERS[routing.backend](name, routed, opts=released)
        self.outputs = {
            "url": routing.url,
            "hosts": [routing.host],
            "stable": release.stable,
            "canary": release.canary,
        }
