"""The Pulumi program: loads the settings, creates the components and exports the outputs."""

import pulumi

from components.cluster import cluster_provider
from components.namespace import Namespace
from components.observability.observability import Observability
from components.platform.cert_manager import CertManager
from components.platform.platform import Platform
from components.service.service import DeployedService
from settings import from_pulumi

settings = from_pulumi()
network = settings.network
cluster = cluster_provider("cluster", settings.cluster)
in_cluster = pulumi.ResourceOptions(providers=[cluster])
cert_manager = CertManager.of(
    "cert-manager",
    {"settings": settings.cert_manager, "network": network, "services": settings.certified},
    opts=in_cluster,
)
namespace = Namespace(
    settings.namespace.name,
    {"resource_quota": settings.resource_quota, "limit_range": settings.namespace.limit_range},
    # cert-manager is deleted later: it removes its finalizers from objects in the namespace.
    opts=pulumi.ResourceOptions(providers=[cluster], depends_on=cert_manager),
)
platform = Platform(
    {
        "namespace": namespace.name,
        "network": network,
        "observability": settings.observability,
        "certified": settings.certified,
        "acme": settings.cert_manager.acme,
        "progressive": settings.progressive,
        "flagger": settings.flagger,
        "istio": settings.mesh.istio,
        "services": settings.services,
        "secret_stores": settings.secret_stores,
        "external_secrets": settings.external_secrets,
    },
    opts=pulumi.ResourceOptions(providers=[cluster], depends_on=[namespace]),
)
deployed = {
    name: DeployedService(
        {
            "service": service,
            "namespace": namespace,
            "cluster": cluster,
            "registry": settings.registry,
            "builder": settings.builder,
            "delivery": settings.delivery,
            "network": network,
            "observability": settings.observability,
            "platform": platform,
            "stack_ports": settings.served_ports,
            "istio": settings.mesh.istio,
        }
    )
    for name, service in settings.services.items()
}
observability = Observability(
    "observability",
    {
        "settings": settings.observability,
        "network": network,
        "namespace": namespace.name,
        "services": [one.monitored for one in deployed.values()],
        "has_external_secrets": settings.has_external_secrets,
        "cert_manager": settings.cert_manager_namespace,
    },
    opts=in_cluster,
)
pulumi.export("namespace", namespace.name)
pulumi.export("services", {name: one.outputs for name, one in deployed.items()})
pulumi.export("observability", observability.addresses)
