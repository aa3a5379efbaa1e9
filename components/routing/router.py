"""Interface of the routing back ends."""

from typing import NotRequired, TypedDict

import pulumi

from components.labels import Identity, Labels
from components.routing.split import TrafficSplit
from settings import Route, RoutingSettings


class RouterArgs(TypedDict):
    """Arguments of :class:`Router`."""

    service: str
    """Name of the service, for the labels of the objects."""
    namespace: str
    split: TrafficSplit
    route: Route
    """Protocol, timeout and the maximum body size."""
    settings: RoutingSettings
    """IngressClass or Gateway, and TLS."""
    tls_secret: NotRequired[str | None]
    """Secret with the certificate. Default ``None``: without TLS."""


class Router(pulumi.ComponentResource):
    """Implements a :class:`TrafficSplit` of requests to one container port.

    The name of the component is that of its objects.

    A back end overrides :meth:`route`. Which objects it creates does not depend on the weights: a
    release only updates them.
    """

    name: str
    """Name of the objects. The Ingress of the canary has the suffix ``-weighted``."""
    labels: Labels

    def __init__(
        self, name: str, args: RouterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"slipway:routing:{type(self).__name__}", name, None, opts)
        self.name = name
        self.labels = Identity(args["service"], args["namespace"]).labels
        # When objects are replaced, Pulumi deletes the old ones in the order of their own
        # dependencies: a route goes before the workloads, and the namespace, that it needs.
        depends_on = opts.depends_on if opts else None
        self.route(args, pulumi.ResourceOptions(parent=self, depends_on=depends_on))
        self.register_outputs({})

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        """Create the objects of the back end."""
        raise NotImplementedError
