"""Root model of a stack's configuration, with the checks across sections and services."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations, product
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from settings.builder import BuilderSettings
from settings.cert_manager import SOLVER_RESOURCES, CertManagerSettings
from settings.cluster import Cluster
from settings.defaults import PARTIAL_SERVICE
from settings.delivery import DeliverySettings
from settings.errors import MISSING, FieldError
from settings.external_secrets import ExternalSecretsSettings
from settings.flagger import FlaggerSettings
from settings.gitops import gitops_errors
from settings.host import HostSettings
from settings.knative_service import knative_errors, knative_name_errors
from settings.mesh import MeshSettings
from settings.namespace import NamespaceSettings, ResourceQuotaSettings
from settings.network import Network
from settings.notifications import NotificationsSettings
from settings.observability import ObservabilitySettings
from settings.ports import Ports
from settings.proxy_metrics import Proxy
from settings.quantities import format_mebibytes, parse_quantity
from settings.registry import RegistrySettings
from settings.release import Track
from settings.resources import ResourceList
from settings.routing import is_wildcard
from settings.secret_stores import SecretStores
from settings.section import Section
from settings.service import Service
from settings.string_formats import OWN_NAMESPACE, ServiceName

EXTERNAL_SECRETS = "external-secrets"
"""Name of the objects of External Secrets."""
_MAX_PROGRESSIVE_NAME = 42
"""Length of a service's name, to which Flagger adds ``-progressive-primary``: a Service has at most
63 characters. With one less, the truncated names of the pods of both Deployments differ too."""
_MAX_JOB_NAME = 63
"""Length of the label with the name of a Job in its pods."""


def _set_names(services: dict[str, Service]) -> dict[str, Service]:
    for name, service in services.items():
        service.set_name(name)
    return services


class Settings(Section):
    """Configuration of a stack."""

    cluster: Cluster = Cluster.model_construct()
    namespace: NamespaceSettings
    delivery: DeliverySettings = DeliverySettings.model_construct()
    host: HostSettings = HostSettings.model_construct()
    registry: RegistrySettings
    builder: BuilderSettings = BuilderSettings.model_construct()
    network: Network = Network.model_construct()
    mesh: MeshSettings = MeshSettings.model_construct()
    flagger: FlaggerSettings = FlaggerSettings.model_construct()
    cert_manager: CertManagerSettings = CertManagerSettings.model_construct()
    external_secrets: ExternalSecretsSettings = ExternalSecretsSettings.model_construct()
    secret_stores: SecretStores = {}
    """Servers that hold the values of secrets, by name."""
    observability: ObservabilitySettings = ObservabilitySettings.model_construct()
    notifications: NotificationsSettings = NotificationsSettings.model_construct()
    defaults: Annotated[dict[str, Any], PARTIAL_SERVICE] = {}
    """Keys of a service, as defaults of all services. Mappings merge, other values replace."""
    services: Annotated[
        dict[ServiceName, Service],
        Field(
            min_length=1,
            json_schema_extra={
                "patternErrorMessage": "use at least one service: `make new-service` adds it"
            },
        ),
        AfterValidator(_set_names),
    ]
    """Services by name. The name is the prefix of the objects' names."""

    @property
    def namespaces(self) -> dict[str, str]:
        """Namespaces that the stack creates and deletes: names by key."""
        created = {"namespace.name": self.namespace.name}
        if self.observability.mode == "bundled":
            created["network.monitoringNamespace"] = self.network.monitoring_namespace
            created["observability.nodeNamespace"] = self.observability.node_namespace
        if self.has_cert_manager:
            created["certManager.namespace"] = self.cert_manager.namespace
        return created

    @property
    def resource_quota(self) -> ResourceQuotaSettings:
        """Resource quota of the namespace. A default is raised to what the services may use."""
        quota = self.namespace.resource_quota
        pods = self._max_pods
        raised = {
            "pods": max(quota.pods, pods),
            "requests": quota.requests.maximum(self._max_usage("requests")),
            "limits": quota.limits.maximum(self._max_usage("limits")),
        }
        given = quota.model_fields_set
        return quota.model_copy(update={key: raised[key] for key in raised.keys() - given})

    @property
    def served_ports(self) -> dict[str, Ports]:
        """Ports of the Services of each service."""
        return {name: service.served_ports for name, service in self.services.items()}

    @property
    def progressive(self) -> tuple[Service, ...]:
        """Services with strategy ``progressive``."""
        services = self.services.values()
        return tuple(one for one in services if one.release.strategy == "progressive")

    @property
    def certified(self) -> tuple[Service, ...]:
        """Services whose certificates Issuers of the stack issue."""
        return tuple(one for one in self.services.values() if one.tls.has_own_issuer)

    @property
    def has_cert_manager(self) -> bool:
        """True if the stack brings cert-manager."""
        return bool(self.certified) and self.cert_manager.enabled

    @property
    def cert_manager_namespace(self) -> str | None:
        """Namespace of the cert-manager of the services. ``None``: they need none."""
        services = self.services.values()
        is_issued = any(one.tls_hosts and one.tls.secret_name is None for one in services)
        return self.cert_manager.namespace if is_issued else None

    @property
    def has_flagger(self) -> bool:
        """True if the stack brings Flagger."""
        return bool(self.progressive) and self.flagger.enabled

    @property
    def needs_load_tester(self) -> bool:
        """True if a release needs Flagger's load tester."""
        return any(one.release.progressive.needs_load_tester for one in self.progressive)

    @property
    def has_external_secrets(self) -> bool:
        """True if the stack brings External Secrets."""
        return bool(self.secret_stores) and self.external_secrets.enabled

    @property
    def _flagger_pods(self) -> int:
        """Maximum number of pods of Flagger and of its load tester, during their own rollouts."""
        return 2 * (self.has_flagger + self.needs_load_tester)

    @property
    def _solver_pods(self) -> int:
        """Maximum number of pods that answer HTTP-01 challenges: one for each host."""
        acme = (one for one in self.certified if one.tls.mode == "acme")
        hosts = {host for one in acme for host in one.tls_hosts}
        return sum(not is_wildcard(host) for host in hosts)

    @property
    def _sidecars(self) -> int:
        """Maximum number of pods with a sidecar of the mesh."""
        return sum(one.max_pods for one in self.services.values()) + 2 * self.needs_load_tester

    @property
    def _max_pods(self) -> int:
        services = sum(one.max_pods for one in self.services.values())
        operators = self._flagger_pods + self.has_external_secrets
        return operators + self._solver_pods + services

    def image_name(self, service: Service) -> str:
        """Image name of a service, without tag or digest."""
        return self.registry.image_name(service.repository)

    def cross_field_errors(self) -> Iterator[FieldError]:
        yield from self._namespace_errors()
        for service in self.services.values():
            yield from self._service_errors(service, f"services.{service.name}")
        yield from self._image_errors()
        yield from self._secret_name_errors()
        yield from self._route_errors()
        yield from self._acme_errors()
        yield from self._quota_errors()
        for name in sorted(self.host.first_ports.keys() - self.services.keys()):
            yield FieldError("host.firstPorts", name, self._a_service)
        yield from self._observability_errors()
        yield from self._istio_errors()
        for service in self.progressive:
            yield from self._progressive_errors(service, f"services.{service.name}")
        yield from self._external_secret_errors()
        if self.delivery.is_gitops:
            yield from gitops_errors(self, self.delivery, self.services)

    @property
    def _a_service(self) -> str:
        return f"a name in services: {', '.join(self.services)}"

    def _namespace_errors(self) -> Iterator[FieldError]:
        node = self.observability.node_namespace
        own = {**self.namespaces, "observability.nodeNamespace": node}
        others = {
            "network.proxyNamespace": self.network.proxy_namespace,
            **{
                f"services.{service.name}.routing.gateway.namespace": (
                    service.routing.gateway.namespace
                )
                for service in self.services.values()
                if service.routing
            },
            **{
                f"services.{service.name}.routing.istio.gateway.namespace": (
                    service.routing.istio.gateway.namespace
                )
                for service in self.services.values()
                if service.routing
            },
        }
        if self.mesh.istio:
            others["mesh.istio.namespace"] = self.mesh.istio.namespace
        key, monitoring = "network.monitoringNamespace", self.network.monitoring_namespace
        if key not in own:
            others[key] = monitoring
        elif not OWN_NAMESPACE.matches(monitoring):
            reason = "the stack creates it with observability.mode bundled"
            yield FieldError(key, monitoring, f"{OWN_NAMESPACE.allowed}; {reason}")
        pairs = (*combinations(own.items(), 2), *product(own.items(), others.items()))
        for (own_key, name), (other_key, other_name) in pairs:
            if name == other_name:
                yield FieldError(own_key, name, f"another namespace than {other_key}")

    def _service_errors(self, service: Service, key: str) -> Iterator[FieldError]:
        yield from self._limit_errors(service, key)
        if self.builder.type == "docker":
            for error in service.image.errors_with_docker():
                yield replace(error, key=f"{key}.image.{error.key}")
        tracks = [*get_args(Track), *map(service.release.object_track, get_args(Track))]
        # Flagger's names for the pods and objects that run the promoted version.
        tracks.append("primary")
        names = {f"{service.name}-{track}": track for track in tracks} | {**service.route_names}
        for name, suffix in names.items():
            if name != service.name and name in self.services:
                allowed = f"another name: the {suffix} objects of {service.name} have this name"
                yield FieldError("services", name, allowed)
        containers = (*service.init_containers, *service.sidecars)
        if any(container.name == service.name for container in containers):
            allowed = "another name than that of an init container or sidecar"
            yield FieldError("services", service.name, allowed)
        yield from self._peer_errors(service, key)
        yield from _job_name_errors(service, key)
        yield from knative_name_errors(service)
        for error in knative_errors(service):
            yield replace(error, key=f"{key}.{error.key}")

    def _image_errors(self) -> Iterator[FieldError]:
        """Repositories that two services push to. They would overwrite each other's tags."""
        owners: dict[str, str] = {}
        for service in self.services.values():
            if service.source is None:
                continue
            key = f"services.{service.name}.image.repository"
            other = owners.setdefault(service.repository, key)
            if other != key:
                allowed = f"another repository than {other}: both services push to it"
                yield FieldError(key, service.repository, allowed)

    def _secret_name_errors(self) -> Iterator[FieldError]:
        """Entries of ``secrets`` whose Secret has the name of another Secret of a service."""
        services = self.services.values()
        owners = {one.tls_secret: f"services.{one.name}.routing.tls" for one in services}
        for service in services:
            key = f"services.{service.name}.secrets"
            for secret, name in service.secret_names():
                other = owners.setdefault(secret, f"{key}.{name}")
                if other != f"{key}.{name}":
                    allowed = f"another name: {other} has the Secret {secret}"
                    yield FieldError(key, name, allowed)

    def _progressive_errors(self, service: Service, key: str) -> Iterator[FieldError]:
        observability, settings = self.observability, service.release.progressive
        if observability.mode == "off":
            allowed = (
                '"rolling", "canary" or "blueGreen", or observability.mode "bundled" or "operator"'
            )
            yield FieldError(f"{key}.release.strategy", service.release.strategy, allowed)
        proxy = observability.proxy.implementation
        is_counted_by_proxy = service.request_source == "proxy" and proxy != "istio-sidecar"
        if is_counted_by_proxy and proxy == "envoy-gateway":
            reason = "Envoy Gateway counts the requests to both versions together"
            yield FieldError(f"{key}.slo.source", "proxy", f'"service" or "queries": {reason}')
        if is_counted_by_proxy and settings.load:
            reason = "the proxy does not count requests that are sent to the pods"
            allowed = f'null, or slo.source "service": {reason}'
            load = settings.load.model_dump(by_alias=True)
            yield FieldError(f"{key}.release.progressive.load", load, allowed)
        if is_counted_by_proxy and settings.mirror and proxy == "istio":
            reason = "the gateway does not count the copies of the requests"
            allowed = (
                'false, or slo.source "service", or observability.proxy.implementation '
                f'"istio-sidecar": {reason}'
            )
            yield FieldError(f"{key}.release.progressive.mirror", settings.mirror, allowed)
        if len(service.name) > _MAX_PROGRESSIVE_NAME:
            longest = f"at most {_MAX_PROGRESSIVE_NAME} characters"
            allowed = f'{longest} with release.strategy "progressive"'
            yield FieldError("services", service.name, allowed)
        for name in ("flagger", "flagger-loadtester"):
            if name in self.services:
                allowed = "another name: Flagger's objects have this name"
                yield FieldError("services", name, allowed)
        is_gateway = service.routing is not None and service.routing.backend == "gateway"
        if settings.mirror and is_gateway and proxy == "traefik":
            allowed = "false: Traefik, the observability.proxy.implementation, cannot mirror"
            yield FieldError(f"{key}.release.progressive.mirror", settings.mirror, allowed)

    def _limit_errors(self, service: Service, key: str) -> Iterator[FieldError]:
        resources = {
            "workload": service.workload.resources,
            **{
                f"initContainers[{n}]": one.resources
                for n, one in enumerate(service.init_containers)
            },
            **{f"sidecars[{n}]": one.resources for n, one in enumerate(service.sidecars)},
        }
        for section, one in resources.items():
            yield from one.limits.errors_above(
                self.namespace.limit_range.max,
                f"{key}.{section}.resources.limits",
                "namespace.limitRange.max",
            )

    def _peer_errors(self, service: Service, key: str) -> Iterator[FieldError]:
        for direction, peers in (("to", service.peers.to), ("from", service.peers.from_)):
            for number, peer in enumerate(peers):
                where = f"{key}.peers.{direction}[{number}]"
                if peer.service is None:
                    continue
                if peer.service not in self.services:
                    yield FieldError(f"{where}.service", peer.service, self._a_service)
                elif direction == "to":
                    if self.services[peer.service].is_knative:
                        allowed = "peers.to.namespace with the namespace of Knative's gateway"
                        yield FieldError(f"{where}.service", peer.service, allowed)
                    ports = self.services[peer.service].served_ports
                    if not ports:
                        allowed = "a service with ports"
                        yield FieldError(f"{where}.service", peer.service, allowed)
                    for index, port in enumerate(peer.ports):
                        if port not in (*ports, *ports.values()):
                            allowed = f"a port of {peer.service}: {', '.join(ports)}"
                            yield FieldError(f"{where}.ports[{index}]", port, allowed)

    def _route_errors(self) -> Iterator[FieldError]:
        owners: dict[tuple[str, str], str] = {}
        for service in self.services.values():
            for port, route in service.routes.items():
                name = service.route_name(port)
                key = f"services.{service.name}.{service.route_key(port)}.hosts"
                for host, path in product(route.hosts, route.paths):
                    other = owners.setdefault((host, path), name)
                    if other != name:
                        allowed = (
                            f"other hosts, or another path than {path}: {other} has {host}{path}"
                        )
                        yield FieldError(key, route.hosts, allowed)
        yield from self._preview_errors()

    def _acme_errors(self) -> Iterator[FieldError]:
        acme = self.cert_manager.acme
        for service in self.services.values():
            if service.tls.mode != "acme":
                continue
            if acme is None:
                allowed = f"a mapping with email: services.{service.name} has the TLS mode acme"
                yield FieldError("certManager.acme", MISSING, allowed)
                return
            wildcard = next(filter(is_wildcard, service.tls_hosts), None)
            if wildcard and acme.dns01 is None:
                allowed = f"a DNS provider: services.{service.name} has the host {wildcard}"
                yield FieldError("certManager.acme.dns01", MISSING, allowed)

    def _preview_errors(self) -> Iterator[FieldError]:
        owners = {
            host: f"services.{service.name}.{service.route_key(port)}.hosts"
            for service in self.services.values()
            for port, route in service.routes.items()
            for host in route.hosts
        }
        for service in self.services.values():
            key = f"services.{service.name}.release.blueGreen.previewHost"
            if host := service.release.blue_green.preview_host:
                other = owners.setdefault(host, key)
                if other != key:
                    yield FieldError(key, host, f"another host: {other} has it")

    def _quota_errors(self) -> Iterator[FieldError]:
        quota, services = self.resource_quota, self.services.values()
        pods = self._max_pods
        reason = f"for the {pods} pods of a rollout at maximum replicas"
        if len(services) > 1:
            reason += f" of {len(services)} services"
        key = "namespace.resourceQuota"
        if quota.pods < pods:
            yield FieldError(f"{key}.pods", quota.pods, f"at least {pods}, {reason}")
        for part in ("requests", "limits"):
            needed, total = self._max_usage(part).model_dump(), getattr(quota, part).model_dump()
            for name, quantity in total.items():
                if parse_quantity(quantity) < parse_quantity(needed[name]):
                    allowed = f"at least {needed[name]}, {reason}"
                    yield FieldError(f"{key}.{part}.{name}", quantity, allowed)

    def _max_usage(self, part: Literal["requests", "limits"]) -> ResourceList:
        """Sum over the pods of all services during rollouts at maximum replicas."""
        cpu = memory = Decimal(0)
        for service in self.services.values():
            cpu += service.max_pods * service.total(part, "cpu")
            memory += service.max_pods * service.total(part, "memory")
        if istio := self.mesh.istio:
            sidecar: ResourceList = getattr(istio.sidecar_resources, part)
            cpu += self._sidecars * parse_quantity(sidecar.cpu)
            memory += self._sidecars * parse_quantity(sidecar.memory)
        own: ResourceList = getattr(self.flagger.resources, part)
        cpu += self._flagger_pods * parse_quantity(own.cpu)
        memory += self._flagger_pods * parse_quantity(own.memory)
        if self.has_external_secrets:
            own = getattr(self.external_secrets.resources, part)
            cpu += parse_quantity(own.cpu)
            memory += parse_quantity(own.memory)
        solver: ResourceList = getattr(SOLVER_RESOURCES, part)
        cpu += self._solver_pods * parse_quantity(solver.cpu)
        memory += self._solver_pods * parse_quantity(solver.memory)
        return ResourceList(cpu=f"{cpu.normalize():f}", memory=format_mebibytes(memory))

    def _observability_errors(self) -> Iterator[FieldError]:
        observability = self.observability
        objectives = {
            f"services.{service.name}.slo": slo
            for service in self.services.values()
            if (slo := service.slo)
        }
        explicit = next((key for key, slo in objectives.items() if slo.model_fields_set), None)
        if explicit and observability.mode == "off":
            allowed = f'"bundled" or "operator": {explicit} is set and needs metrics'
            yield FieldError("observability.mode", observability.mode, allowed)
        for service in self.services.values():
            if service.slo:
                key = f"services.{service.name}.slo"
                for error in service.slo.bucket_errors(service.buckets(observability.proxy)):
                    yield replace(error, key=f"{key}.{error.key}")
        longest = max(objectives.items(), key=lambda item: item[1].window_days, default=None)
        yield from self._gate_errors()
        retention = observability.metrics.retention_days
        if observability.mode == "bundled" and longest and retention < longest[1].window_days:
            key, window = f"{longest[0]}.windowDays", longest[1].window_days
            allowed = f"at least {key}, which is {window}"
            yield FieldError("observability.metrics.retentionDays", retention, allowed)

    def _istio_errors(self) -> Iterator[FieldError]:
        proxy, istio = self.observability.proxy.implementation, self.mesh.istio
        if proxy == "istio-sidecar" and istio is None:
            others = " or ".join(f'"{one}"' for one in get_args(Proxy) if one != proxy)
            allowed = f"{others}, or add mesh.istio: it is null"
            yield FieldError("observability.proxy.implementation", proxy, allowed)
        for service in self.services.values():
            if service.is_knative and istio:
                key = f"services.{service.name}.workload.kind"
                allowed = '"deployment": mesh.istio adds sidecars, which Knative routes around'
                yield FieldError(key, service.workload.kind, allowed)
            if service.routing is None or service.is_knative:
                continue
            backend, is_measured = service.routing.backend, service.request_source == "proxy"
            key = f"services.{service.name}.routing.backend"
            if istio and istio.mutual_tls == "strict" and backend == "ingress":
                reason = "the proxy of Ingresses is not in the mesh"
                allowed = f'"istio" or "gateway", or mesh.istio.mutualTls "permissive": {reason}'
                yield FieldError(key, backend, allowed)
            has_metrics = service.slo and is_measured and self.observability.mode != "off"
            if backend == "istio" and has_metrics and proxy not in ("istio", "istio-sidecar"):
                allowed = f'"istio", or "istio-sidecar" in a mesh: {key} is "istio"'
                yield FieldError("observability.proxy.implementation", proxy, allowed)
                return
        if istio:
            yield from istio.sidecar_resources.limits.errors_above(
                self.namespace.limit_range.max,
                "mesh.istio.sidecarResources.limits",
                "namespace.limitRange.max",
            )

    def _gate_errors(self) -> Iterator[FieldError]:
        """Gates after a switch that cannot query the requests of a version."""
        mode, proxy = self.observability.mode, self.observability.proxy.implementation
        for service in self.services.values():
            seconds = service.release.blue_green.gate_seconds
            key = f"services.{service.name}.release.blueGreen.gateSeconds"
            if seconds and mode != "bundled":
                allowed = f'0, or observability.mode "bundled": it is "{mode}"'
                yield FieldError(key, seconds, allowed)
            elif seconds and service.request_source == "proxy" and proxy == "envoy-gateway":
                allowed = f"0: the metrics of {proxy} count the requests of both colors together"
                yield FieldError(key, seconds, allowed)

    def _external_secret_errors(self) -> Iterator[FieldError]:
        if self.has_external_secrets and EXTERNAL_SECRETS in self.services:
            allowed = "another name: the objects of External Secrets have this name"
            yield FieldError("services", EXTERNAL_SECRETS, allowed)
        for service in self.services.values():
            for name, entry in service.secrets.items():
                key = f"services.{service.name}.secrets.{name}"
                if entry.external is None:
                    continue
                if entry.external.store not in self.secret_stores:
                    known = ", ".join(self.secret_stores)
                    allowed = f"a name in secretStores: {known or 'there is none'}"
                    yield FieldError(f"{key}.external.store", entry.external.store, allowed)
                if entry.effect == "restart" and not self.external_secrets.reloader:
                    allowed = '"none" or "release", or externalSecrets.reloader true'
                    yield FieldError(f"{key}.onChange", entry.effect, allowed)
                elif entry.effect == "restart" and service in self.progressive:
                    allowed = '"none" or "release": Reloader does not restart the primary'
                    yield FieldError(f"{key}.onChange", entry.effect, allowed)


def _job_name_errors(service: Service, key: str) -> Iterator[FieldError]:
    if service.release.before_start is None:
        return
    for track, released in service.release.versions.items():
        longest = _MAX_JOB_NAME - len(f"{service.name}-before-start-")
        if released.before_start and len(released.version) > longest:
            allowed = f"at most {longest} characters: they are in the name of its Job"
            yield FieldError(f"{key}.release.{track}.version", released.version, allowed)
