"""The Pulumi program: loads the settings, creates the components and exports the outputs."""

from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider

from components.namespace import Namespace
from components.observability.monitored_service import MonitoredService
from components.observability.observability import Observability
from components.observability.trace_receiver import TraceReceiver
from components.routing import ROUTERS, RouterArgs, TrafficSplit
from components.service.credentials import Credentials
from components.service.image import ContainerImage
from components.service.release import Release
from settings import Track, from_pulumi

settings = from_pulumi(version_file=Path("app/VERSION"))
home, service = settings.namespace, settings.service
network, routing = settings.network, settings.routing
cluster = Provider(
    "cluster",
    # Empty: the provider reads KUBECONFIG itself and writes no copy to a temporary file.
    kubeconfig="",
    context=settings.cluster.context,
    enable_server_side_apply=True,
    enable_config_map_mutable=True,
    enable_secret_mutable=True,
    # After an interrupted update, the next one adopts the objects that already exist.
    upsert_existing_objects=True,
)
namespace = Namespace(
    home.name,
    {"resource_quota": home.resource_quota, "limit_range": home.limit_range},
    opts=pulumi.ResourceOptions(providers=[cluster]),
)
inside = pulumi.ResourceOptions(providers=[cluster], depends_on=[namespace])
credentials = Credentials(
    service.name,
    {"namespace": namespace.name, "token": service.admin_token, "image": settings.image},
    opts=inside,
)
images: dict[Track, ContainerImage] = {
    track: ContainerImage(f"{service.name}-{track}", {"image": settings.image, "release": version})
    for track, version in settings.release.tracks.items()
}
release = Release(
    service.name,
    {
        "release": settings.release,
        "images": {track: image.reference for track, image in images.items()},
        "workload": {
            "namespace": namespace.name,
            "service": service,
            "pods": settings.workload,
            "config": settings.config,
            "autoscaling": settings.autoscaling,
            "pod_disruption_budget": settings.pod_disruption_budget,
            "network": network,
            "traces": TraceReceiver.of(settings.observability, network, namespace.name),
            "credentials": credentials.names,
        },
    },
    opts=inside,
)
split = TrafficSplit(routing.host, routing.paths, release.backends, routing.canary_override)
released = pulumi.ResourceOptions(providers=[cluster], depends_on=[release])
routed = RouterArgs(namespace=namespace.name, split=split, settings=routing, config=settings.config)
router = ROUTERS[routing.backend](service.name, routed, opts=released)
served = pulumi.ResourceOptions(providers=[cluster], depends_on=[router])
monitored = [MonitoredService.of(service, settings.slo, namespace.name)]
observability = Observability(
    "observability",
    {
        "settings": settings.observability,
        "network": network,
        "namespace": namespace.name,
        "services": monitored,
    },
    opts=served,
)
where = {"url": routing.url, "host": routing.host, "namespace": namespace.name}
running = {"stable": release.stable, "canary": release.canary}
for name, value in {**where, **running, "observability": observability.addresses}.items():
    pulumi.export(name, value)
