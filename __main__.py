"""The Pulumi program: loads the settings, creates the components and exports the outputs."""

import pulumi

from components.cluster import cluster_provider
from components.namespace import Namespace
from components.observability.monitored_service import MonitoredService
from components.observability.observability import Observability
from components.observability.release_gates import prometheus_url, release_gates
from components.observability.trace_receiver import TraceReceiver
from components.platform.cert_manager import CertManager
from components.platform.flagger import Flagger
from components.platform.issuers import Issuers
from components.platform.secret_stores import StackSecretStores
from components.service.progressive import Analysis
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
in_namespace = pulumi.ResourceOptions(providers=[cluster], depends_on=[namespace])
issuers = Issuers.of(
    "issuers",
    {
        "namespace": namespace.name,
        "services": settings.certified,
        "network": network,
        "acme": settings.cert_manager.acme,
    },
    opts=in_namespace,
)
monitored = {
    name: MonitoredService.of(service, namespace.name, settings.observability)
    for name, service in settings.services.items()
}
prometheus = prometheus_url(settings.observability, network)
flagger = Flagger.of(
    "flagger",
    {
        "namespace": namespace.name,
        "settings": settings.flagger,
        "network": network,
        "prometheus": prometheus,
        "services": settings.progressive,
    },
    opts=in_namespace,
)
secret_stores = StackSecretStores.of(
    "secret-stores",
    {
        "namespace": namespace.name,
        "external_secrets": settings.external_secrets,
        "network": network,
        "stores": settings.secret_stores,
    },
    opts=in_namespace,
)
served_ports = {name: service.served_ports for name, service in settings.services.items()}
deployed = {
    name: DeployedService(
        {
            "service": service,
            "namespace": namespace,
            "cluster": cluster,
            "registry": settings.registry,
            "builder": settings.builder,
            "network": network,
            "traces": TraceReceiver.of(settings.observability, network, namespace.name),
            "stack_ports": served_ports,
            "issuers": issuers,
            "secret_stores": secret_stores,
            "analysis": Analysis(
                release_gates(monitored[name], service.release.progressive), prometheus, flagger
            ),
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
        "services": [*monitored.values()],
        "has_external_secrets": settings.has_external_secrets,
        "cert_manager": settings.cert_manager_namespace,
    },
    opts=in_cluster,
)
pulumi.export("namespace", namespace.name)
pulumi.export("services", {name: one.outputs for name, one in deployed.items()})
pulumi.export("observability", observability.addresses)
