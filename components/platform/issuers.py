"""Issuers of the stack's certificates."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.certificate import (
    CERT_MANAGER_API,
    ISSUANCE_TIMEOUTS,
    READY,
    hours,
    issuer_ref,
)
from components.labels import ACME, CA, Identity
from components.network_peer import NetworkPeer
from components.prune import prune_none
from components.routing.gateway import plain_listener
from settings import AcmeSettings, Network, RoutingSettings, Service, is_wildcard

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

_SELF_SIGNED = "slipway-self-signed"
_CA_HOURS = 10 * 365 * 24
"""Lifetime of the CA's certificate. Clients have to trust a new one after it."""
_CA_RENEW_HOURS = 365 * 24
_SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
_SOLVER_PORT = 8089

Json = dict[str, Any]


class IssuersArgs(TypedDict):
    """Arguments of :class:`Issuers`."""

    namespace: str
    """Namespace of the Issuers, and of the certificates that they issue."""
    services: Sequence[Service]
    """Services whose certificates Issuers of the stack issue."""
    network: Network
    """Namespace of the proxy, which passes HTTP-01 challenges on."""
    acme: NotRequired[AcmeSettings | None]
    """ACME server. Required for services with the TLS mode ``acme``."""


class Issuers(pulumi.ComponentResource):
    """Issuers that the services need: the CA of the stack's own, and the ACME server.

    The private key of the CA is kept when its certificate is renewed.
    """

    def __init__(
        self, name: str, args: IssuersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Issuers", name, None, opts)
        self._name = name
        self._namespace = args["namespace"]
        if any(one.tls.mode == "selfSigned" for one in args["services"]):
            self._ca()
        services = [one for one in args["services"] if one.tls.mode == "acme"]
        if services and (acme := args.get("acme")):
            self._solver_policy(args["network"])
            self._issuer(ACME, {"acme": _acme(acme, services)})
        self.register_outputs({})

    @classmethod
    def of(
        cls, name: str, args: IssuersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> "Issuers | None":
        """Issuers for the services. ``None``: there are none."""
        return cls(name, args, opts) if args["services"] else None

    def _ca(self) -> None:
        self_signed = self._issuer(_SELF_SIGNED, {"selfSigned": {}})
        certificate = CustomResource(
            f"{self._name}-{CA}-certificate",
            api_version=CERT_MANAGER_API,
            kind="Certificate",
            metadata={**self._metadata(CA), "annotations": READY},
            spec={
                "isCA": True,
                "commonName": self._namespace,
                "subject": {"organizations": ["Slipway"]},
                "secretName": CA,
                "duration": hours(_CA_HOURS),
                "renewBefore": hours(_CA_RENEW_HOURS),
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"},
                "issuerRef": issuer_ref(_SELF_SIGNED),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self_signed]),
        )
        self._issuer(CA, {"ca": {"secretName": CA}}, certificate)

    def _solver_policy(self, network: Network) -> None:
        NetworkPolicy(
            f"{self._name}-{ACME}-solver",
            metadata=self._metadata(f"{ACME}-solver"),
            spec={
                "pod_selector": {"match_labels": _SOLVER_LABELS},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [NetworkPeer(network.proxy_namespace, (_SOLVER_PORT,)).ingress],
                "egress": [],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _issuer(self, name: str, spec: Json, *depends_on: pulumi.Resource) -> CustomResource:
        return CustomResource(
            f"{self._name}-{name}",
            api_version=CERT_MANAGER_API,
            kind="Issuer",
            metadata={**self._metadata(name), "annotations": READY},
            spec=spec,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=depends_on, custom_timeouts=ISSUANCE_TIMEOUTS
            ),
        )

    def _metadata(self, name: str) -> "ObjectMetaArgsDict":
        return {
            "name": name,
            "namespace": self._namespace,
            "labels": Identity(CA, self._namespace).labels,
        }


def _acme(acme: AcmeSettings, services: Sequence[Service]) -> Json:
    solvers = [
        {"http01": _http01(service.routing), "selector": {"dnsNames": hosts}}
        for service in services
        if service.routing
        and (hosts := [host for host in service.tls_hosts if not is_wildcard(host)])
    ]
    wildcards = [host for one in services for host in one.tls_hosts if is_wildcard(host)]
    if wildcards:
        solvers.append({"dns01": _dns01(acme), "selector": {"dnsNames": wildcards}})
    return prune_none(
        {
            "server": acme.server,
            "email": acme.email,
            "caBundle": acme.ca_bundle and base64.b64encode(acme.ca_bundle.encode()).decode(),
            "privateKeySecretRef": {"name": f"{ACME}-account"},
            "solvers": solvers,
        }
    )


def _http01(routing: RoutingSettings) -> Json:
    service = {"serviceType": "ClusterIP"}
    if routing.backend == "gateway":
        return {"gatewayHTTPRoute": {**service, "parentRefs": [plain_listener(routing.gateway)]}}
    return {"ingress": {**service, "ingressClassName": routing.ingress.class_name}}


def _dns01(acme: AcmeSettings) -> Json:
    dns = acme.dns01
    if dns and (zone := dns.route53):
        return {
            "route53": prune_none(
                {
                    "region": zone.region,
                    "hostedZoneID": zone.hosted_zone_id,
                    "accessKeyID": zone.access_key_id,
                    "secretAccessKeySecretRef": zone.secret_access_key.model_dump(),
                }
            )
        }
    if dns and (cloudflare := dns.cloudflare):
        return {"cloudflare": {"apiTokenSecretRef": cloudflare.api_token.model_dump()}}
    raise ValueError("certManager.acme.dns01 is missing: it is needed for wildcard hosts")
