"""TLS of a service: its certificate, and the Gateway listeners that serve it."""

from typing import TYPE_CHECKING, Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.certificate import (
    CERT_MANAGER_API,
    ISSUANCE_TIMEOUTS,
    READY,
    hours,
    issuer_ref,
)
from components.labels import ACME, CA, Identity
from components.prune import prune_none
from components.routing.dns import dns_annotations
from components.routing.gateway import GATEWAY_API, gateway_ref, plain_listener
from settings import GatewaySettings, RoutingSettings, Service, TlsSettings

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

_MAX_COMMON_NAME = 64
_MOVED_PERMANENTLY = 301

Json = dict[str, Any]


class ServiceTlsArgs(TypedDict):
    """Arguments of :class:`ServiceTls`."""

    service: Service
    """A service with :attr:`Service.tls_hosts`."""
    namespace: str


class ServiceTls(pulumi.ComponentResource):
    """Certificate for all hosts of a service; with a Gateway, their listeners and the redirect.

    It is ready when the certificate is issued. An existing Secret is only used.
    """

    def __init__(
        self, name: str, args: ServiceTlsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:routing:ServiceTls", name, None, opts)
        self._name = name
        self._service = args["service"]
        self._namespace = args["namespace"]
        routing, secret = args["service"].routing, args["service"].tls_secret
        if routing is None or secret is None:
            raise ValueError(f"{args['service'].name} has no TLS")
        depends_on = opts.depends_on if opts else None
        self._child = pulumi.ResourceOptions(parent=self, depends_on=depends_on)
        after = self._child
        if routing.tls.secret_name is None:
            certificate = self._certificate(routing, secret)
            after = pulumi.ResourceOptions(parent=self, depends_on=[certificate])
        if routing.backend == "gateway":
            self._listeners(routing.gateway, secret, after)
            if routing.has_redirect_route:
                self._redirect(routing)
        self.register_outputs({})

    def _metadata(self, name: str) -> "ObjectMetaArgsDict":
        labels = Identity(self._service.name, self._namespace).labels
        return {"name": name, "namespace": self._namespace, "labels": labels}

    def _certificate(self, routing: RoutingSettings, secret: str) -> CustomResource:
        tls, hosts = routing.tls, self._service.tls_hosts
        common_name = {"commonName": hosts[0]} if len(hosts[0]) <= _MAX_COMMON_NAME else {}
        return CustomResource(
            f"{self._name}-certificate",
            api_version=CERT_MANAGER_API,
            kind="Certificate",
            metadata={**self._metadata(secret), "annotations": READY},
            spec={
                **common_name,
                "dnsNames": [*hosts],
                "secretName": secret,
                "duration": hours(tls.duration_days * 24),
                "renewBefore": hours(tls.renew_before_days * 24),
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "usages": ["digital signature", "key encipherment", "server auth"],
                "issuerRef": _issuer_ref(routing.tls),
            },
            opts=pulumi.ResourceOptions.merge(
                self._child, pulumi.ResourceOptions(custom_timeouts=ISSUANCE_TIMEOUTS)
            ),
        )

    def _listeners(
        self, gateway: GatewaySettings, secret: str, opts: pulumi.ResourceOptions
    ) -> CustomResource:
        parent = (
            {"gatewayClassName": gateway.class_name}
            if gateway.class_name
            else {"parentRef": gateway_ref(gateway.name, gateway.namespace)}
        )
        return CustomResource(
            f"{self._name}-listeners",
            api_version=GATEWAY_API,
            kind="Gateway" if gateway.class_name else "ListenerSet",
            metadata={
                **self._metadata(self._service.name),
                # The routes are attached later.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                **parent,
                "listeners": [
                    {
                        # A name has no asterisk.
                        "name": host.replace("*", "wildcard"),
                        "hostname": host,
                        "port": gateway.tls_port,
                        "protocol": "HTTPS",
                        "tls": {
                            "mode": "Terminate",
                            "certificateRefs": [{"group": "", "kind": "Secret", "name": secret}],
                        },
                        "allowedRoutes": {"namespaces": {"from": "Same"}},
                    }
                    for host in self._service.tls_hosts
                ],
            },
            opts=opts,
        )

    def _redirect(self, routing: RoutingSettings) -> CustomResource:
        return CustomResource(
            f"{self._name}-redirect",
            api_version=GATEWAY_API,
            kind="HTTPRoute",
            metadata=prune_none(
                {
                    **self._metadata(self._service.redirect_name),
                    "annotations": dns_annotations(routing.dns) or None,
                }
            ),
            spec={
                "parentRefs": [plain_listener(routing.gateway)],
                "hostnames": [*self._service.tls_hosts],
                "rules": [
                    {
                        "filters": [
                            {
                                "type": "RequestRedirect",
                                "requestRedirect": {
                                    "scheme": "https",
                                    "port": routing.external_tls_port,
                                    "statusCode": _MOVED_PERMANENTLY,
                                },
                            }
                        ]
                    }
                ],
            },
            opts=self._child,
        )


def _issuer_ref(tls: TlsSettings) -> Json:
    if tls.cluster_issuer:
        return issuer_ref(tls.cluster_issuer, "ClusterIssuer")
    return issuer_ref(ACME if tls.mode == "acme" else CA)
