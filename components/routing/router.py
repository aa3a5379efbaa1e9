"""Interface of the routing back ends."""

from typing import TypedDict

import pulumi

from components.labels import Identity
from components.routing.split import TrafficSplit
from settings import RoutingSettings


class RouterArgs(TypedDict):
    """Arguments of :class:`Router`."""

    namespace: str
    split: TrafficSplit
    settings: RoutingSettings
    """IngressClass or Gateway, protocol, timeout and the maximum body size."""


class Router(pulumi.ComponentResource):
    """Implements a :class:`TrafficSplit`.

    A back end overrides :meth:`route`. Which objects it creates does not depend on the weights: a
    release only updates them.
    """

    identity: Identity
    """Name and labels of the objects."""

    def __init__(
        self, name: str, args: RouterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(f"slipway:routing:{type(self).__name__}", name, None, opts)
        self.identity = Identity(name, args["namespace"])
        # When objects are replaced, Pulumi deletes the old ones in the order of their own
        # dependencies: a route goes before the workloads, and the namespace, that it needs.
        depends_on = opts.depends_on if opts else None
        self.route(args, pulumi.ResourceOptions(parent=self, depends_on=depends_on))
        self.register_outputs({})

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        """Create the objects of the back end."""
        raise NotImplementedError
