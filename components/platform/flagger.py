"""Flagger, which controls progressive releases, and its load tester."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Service as KubernetesService

from components.istio_sidecar import IstioSidecar
from components.labels import FLAGGER, NAME_LABEL, Identity
from components.network_peer import (
    API_SERVER_PORTS,
    NetworkPeer,
    ip_block_peer,
    peers_for_url,
)
from components.observability.addresses import LOAD_TESTER
from components.platform.operator_pod import READ, WRITE, OperatorPod, Rules
from components.versions import server_image
from settings import FlaggerSettings, IstioSettings, Network, Service

if TYPE_CHECKING:
    pass

_PORT = 8080
_USER = 10001
_COPIED_LABELS = "app.kubernetes.io/,owner,track"
"""Prefixes of labels of a Deployment that Flagger copies to that of the primary."""
_RESOURCES: Mapping[str, Sequence[str]] = {
    "": ("configmaps", "events", "secrets", "services"),
    "apps": ("daemonsets", "deployments"),
    "autoscaling": ("horizontalpodautoscalers",),
    "flagger.app": (
        *("alertproviders", "alertproviders/status", "canaries", "canaries/finalizers"),
        *("canaries/status", "metrictemplates", "metrictemplates/status"),
    ),
    "gateway.networking.k8s.io": ("httproutes",),
    "networking.k8s.io": ("ingresses",),
}
"""Resources that Flagger reads and changes, in the stack's namespace."""
_ISTIO_RESOURCES = {"networking.istio.io": ("destinationrules", "virtualservices")}
"""The same with the back end ``istio``."""


class FlaggerArgs(TypedDict):
    """Arguments of :class:`Flagger`."""

    namespace: str
    """Namespace of Flagger and of the Canaries that it watches."""
    settings: FlaggerSettings
    network: Network
    prometheus: str
    """URL of Prometheus."""
    services: Sequence[Service]
    """Services with strategy ``progressive``."""
    istio: IstioSettings | None
    """Mesh of the services. ``None``: they are in none."""


class Flagger(pulumi.ComponentResource):
    """Flagger and its load tester, one pod each.

    Flagger is restricted to the namespace. The CustomResourceDefinitions, which other stacks may
    use, are kept when the component is deleted.
    """

    def __init__(
        self, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Flagger", name, None, opts)
        self._name = name
        self._args = args
        self._has_load_tester = any(
            service.release.progressive.needs_load_tester for service in args["services"]
        )
        if args["settings"].enabled:
            self._flagger()
        if self._has_load_tester:
            self._load_tester()
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: FlaggerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "Flagger | None":
        """Flagger for the services. ``None``: there are none."""
        return cls(name, args, opts) if args["services"] else None

    def _flagger(self) -> None:
        args = self._args
        peers = [
            ip_block_peer(args["network"].node_cidrs, *API_SERVER_PORTS),
            *peers_for_url(args["prometheus"], args["namespace"]),
        ]
        if self._has_load_tester:
            peers.append(LOAD_TESTER.peer(args["namespace"]))
        pod = self._pod(FLAGGER)
        self._deployment(
            pod,
            server_image("flagger"),
            _PORT,
            [
                "-log-level=info",
                f"-namespace={args['namespace']}",
                f"-metrics-server={args['prometheus']}",
                f"-selector-labels={NAME_LABEL}",
                f"-include-label-prefix={_COPIED_LABELS}",
            ],
            [
                pod.network_policy([], peers),
                pod.account(),
                *pod.role(self._rules()),
                *pod.custom_resource_definitions(),
            ],
            uses_api=True,
        )

    def _rules(self) -> Rules:
        backends = {one.routing.backend for one in self._args["services"] if one.routing}
        resources = {**_RESOURCES, **(_ISTIO_RESOURCES if "istio" in backends else {})}
        return [(group, names, sorted((*READ, *WRITE))) for group, names in resources.items()]

    def _load_tester(self) -> None:
        namespace, pod = self._args["namespace"], self._pod(LOAD_TESTER.server)
        istio = self._args["istio"]
        # It sends requests to the pods of the services, which may refuse those from outside.
        sidecar = IstioSidecar(istio) if istio else None
        flagger = NetworkPeer(namespace, (LOAD_TESTER.port,), {NAME_LABEL: FLAGGER})
        # It runs any command that a client sends.
        egress = [NetworkPeer(namespace), *([sidecar.istiod] if sidecar else ())]
        policy = pod.network_policy([flagger], egress)
        self._deployment(
            pod,
            server_image("flaggerLoadtester"),
            LOAD_TESTER.port,
            ["-log-level=info", f"-port={LOAD_TESTER.port}", "-timeout=1h"],
            [policy, pod.account()],
            uses_api=False,
            sidecar=sidecar,
        )
        KubernetesService(
            f"{pod.name}-service",
            metadata={
                **pod.metadata,
                # The Deployment's await covers the pods that the Service would wait for.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "type": "ClusterIP",
                "selector": pod.identity.selector,
                "ports": [
                    {
                        "name": "http",
                        "port": LOAD_TESTER.port,
                        "target_port": "http",
                        "protocol": "TCP",
                    }
                ],
            },
            opts=pod.opts,
        )

    def _pod(self, name: str) -> OperatorPod:
        identity = Identity(name, self._args["namespace"])
        return OperatorPod(f"{self._name}{name.removeprefix(FLAGGER)}", identity, self)

    def _deployment(
        self,
        pod: OperatorPod,
        image: str,
        port: int,
        arguments: Sequence[str],
        depends_on: Sequence[pulumi.Resource],
        *,
        uses_api: bool,
        sidecar: IstioSidecar | None = None,
    ) -> None:
        pod.deployment(
            image,
            arguments,
            user=_USER,
            ports={"http": port},
            resources=self._args["settings"].resources,
            readiness={"http_get": {"path": "/healthz", "port": port, "scheme": "HTTP"}},
            liveness={"tcp_socket": {"port": port}},
            depends_on=depends_on,
            uses_api=uses_api,
            sidecar=sidecar,
        )
