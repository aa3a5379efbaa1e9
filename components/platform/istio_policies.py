"""Policies of Istio for the services of a stack: mutual TLS, and the callers of each service."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.labels import BEFORE_START, INSTANCE_LABEL, NAME_LABEL, PRIMARY, Identity
from components.observability.addresses import LOAD_TESTER
from settings import OBJECT_TRACKS, IstioSettings, Network, PeerFrom, Service

_API = "security.istio.io/v1"

Json = dict[str, Any]


class IstioPoliciesArgs(TypedDict):
    """Arguments of :class:`IstioPolicies`."""

    istio: IstioSettings | None
    """Mesh of the services."""
    namespace: str
    network: Network
    """Namespace of the proxy, which connects to the pods."""
    services: Mapping[str, Service]
    """Services of the stack by name."""


class IstioPolicies(pulumi.ComponentResource):
    """PeerAuthentication of the namespace, and an AuthorizationPolicy for the pods of each service.

    A service accepts the callers that its NetworkPolicies accept. They are known by the namespace
    and the ServiceAccount in their certificate. Pods without a sidecar are not affected.
    """

    def __init__(
        self, name: str, args: IstioPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:IstioPolicies", name, None, opts)
        istio = args["istio"]
        if istio is None:
            raise ValueError("mesh.istio is null: the services are in no mesh")
        self._name = name
        self._args = args
        self._trust_domain = istio.trust_domain
        self._child = pulumi.ResourceOptions(
            parent=self, depends_on=opts.depends_on if opts else None
        )
        mode = "STRICT" if istio.mutual_tls == "strict" else "PERMISSIVE"
        self._policy("PeerAuthentication", "default", args["namespace"], {"mtls": {"mode": mode}})
        if istio.mutual_tls == "strict":
            self._load_tester()
            for service in args["services"].values():
                self._authorization(service)
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: IstioPoliciesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "IstioPolicies | None":
        """Policies of the mesh. ``None``: the services are in none."""
        return cls(name, args, opts) if args["istio"] else None

    def _policy(self, kind: str, name: str, owner: str, spec: Json) -> None:
        namespace = self._args["namespace"]
        CustomResource(
            f"{self._name}-{kind.lower()}-{name}",
            api_version=_API,
            kind=kind,
            metadata={
                "name": name,
                "namespace": namespace,
                "labels": Identity(owner, namespace).labels,
            },
            spec=spec,
            opts=self._child,
        )

    def _load_tester(self) -> None:
        """Let Flagger connect to its load tester. It has no sidecar; a NetworkPolicy allows it."""
        releases = (one.release for one in self._args["services"].values())
        if not any(
            one.strategy == "progressive" and one.progressive.needs_load_tester for one in releases
        ):
            return
        server = LOAD_TESTER.server
        pods = Identity(server, self._args["namespace"]).selector
        spec = {"selector": {"matchLabels": pods}, "mtls": {"mode": "PERMISSIVE"}}
        self._policy("PeerAuthentication", server, server, spec)

    def _authorization(self, service: Service) -> None:
        rules = [*self._rules(service)]
        names = [service.name]
        if service.release.strategy == "progressive":
            names.append(f"{service.name}{PRIMARY}")
        for name in names:
            pods = {NAME_LABEL: name, INSTANCE_LABEL: self._args["namespace"]}
            spec: Json = {"selector": {"matchLabels": pods}, "action": "ALLOW"}
            # Without rules, no connection is accepted.
            self._policy(
                "AuthorizationPolicy",
                name,
                service.name,
                spec | ({"rules": rules} if rules else {}),
            )

    def _rules(self, service: Service) -> Iterator[Json]:
        """Rules for the callers: the proxy, the load tester, and the peers of both directions."""
        ports = service.ports
        if service.routes:
            routed = [ports[port] for port in service.routes]
            yield _rule({"namespaces": [self._args["network"].proxy_namespace]}, routed)
            if service.release.strategy == "progressive" and service.release.progressive.load:
                yield _rule(self._accounts([LOAD_TESTER.server]), routed)
        for peer in service.peers.from_:
            accepted = (ports[port] for port in peer.ports or service.served_ports)
            yield _rule(self._source(peer), accepted)
        for caller in self._args["services"].values():
            for to in caller.peers.to:
                if to.service == service.name:
                    numbers = (
                        ports[port] if isinstance(port, str) else port
                        for port in to.ports or service.served_ports
                    )
                    yield _rule(self._service(caller.name), numbers)

    def _source(self, peer: PeerFrom) -> Json:
        if peer.service:
            return self._service(peer.service)
        if peer.cidr:
            return {"ipBlocks": [peer.cidr]}
        # A certificate has no labels of pods: the NetworkPolicy selects by them.
        return {"namespaces": [peer.namespace]}

    def _service(self, name: str) -> Json:
        """Pods of a service, of all its tracks."""
        return self._accounts(f"{name}-{track}" for track in (*OBJECT_TRACKS, BEFORE_START))

    def _accounts(self, names: Iterable[str]) -> Json:
        prefix = f"{self._trust_domain}/ns/{self._args['namespace']}/sa"
        return {"principals": [f"{prefix}/{name}" for name in names]}


def _rule(source: Json, ports: Iterable[int]) -> Json:
    """A rule that accepts connections from a source to container ports."""
    return {
        "from": [{"source": source}],
        "to": [{"operation": {"ports": [str(port) for port in ports]}}],
    }
