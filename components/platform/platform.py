"""Operators that a stack brings into its namespace, and the objects that operators read."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi

from components.observability.release_gates import prometheus_url
from components.platform.flagger import Flagger
from components.platform.issuers import Issuers
from components.platform.istio_policies import IstioPolicies
from components.platform.secret_stores import StackSecretStores
from settings import (
    AcmeSettings,
    ExternalSecretsSettings,
    FlaggerSettings,
    IstioSettings,
    Network,
    ObservabilitySettings,
    SecretStores,
    Service,
)


class PlatformArgs(TypedDict):
    """Arguments of :class:`Platform`."""

    namespace: str
    network: Network
    observability: ObservabilitySettings
    """Its Prometheus has the metrics that Flagger queries."""
    certified: Sequence[Service]
    """Services whose certificates Issuers of the stack issue."""
    acme: AcmeSettings | None
    """ACME server. Required for services with the TLS mode ``acme``."""
    progressive: Sequence[Service]
    """Services with strategy ``progressive``."""
    flagger: FlaggerSettings
    istio: IstioSettings | None
    """Mesh of the services. ``None``: they are in none."""
    services: Mapping[str, Service]
    """Services of the stack by name."""
    secret_stores: SecretStores
    """Stores by name."""
    external_secrets: ExternalSecretsSettings


class Platform:
    """Issuers, Flagger, policies of the mesh, and secret stores.

    Not a component resource: with another parent, deployed resources would be replaced.
    """

    issuers: Issuers | None
    """``None``: no service needs them."""
    flagger: Flagger | None
    secret_stores: StackSecretStores | None

    def __init__(self, args: PlatformArgs, opts: pulumi.ResourceOptions) -> None:
        namespace, network = args["namespace"], args["network"]
        self.issuers = Issuers.of(
            "issuers",
            {
                "namespace": namespace,
                "services": args["certified"],
                "network": network,
                "acme": args["acme"],
            },
            opts=opts,
        )
        self.flagger = Flagger.of(
            "flagger",
            {
                "namespace": namespace,
                "settings": args["flagger"],
                "network": network,
                "prometheus": prometheus_url(args["observability"], network),
                "services": args["progressive"],
                "istio": args["istio"],
            },
            opts=opts,
        )
        IstioPolicies.of(
            "mesh",
            {
                "istio": args["istio"],
                "namespace": namespace,
                "network": network,
                "services": args["services"],
            },
            opts=opts,
        )
        self.secret_stores = StackSecretStores.of(
            "secret-stores",
            {
                "namespace": namespace,
                "external_secrets": args["external_secrets"],
                "network": network,
                "stores": args["secret_stores"],
            },
            opts=opts,
        )
