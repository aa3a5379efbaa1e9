"""The one interface of every back end, and the choice between them."""

from typing import TypedDict

import pulumi

from components.labels import Identity
from components.routing.split import TrafficSplit
from settings import RoutingSettings, ServiceConfig


class RouterArgs(TypedDict):
    """What a :class:`Router` is made from."""

    namespace: str
    split: TrafficSplit
    settings: RoutingSettings
    """Which IngressClass or Gateway serves."""
    config: ServiceConfig
    """How long and how large requests may be."""


class Router(pulumi.ComponentResource):
    """Puts a :class:`TrafficSplit` into effect.

    A back end implements :meth:`route`. Its objects exist whatever the weights are: a release
    changes values in them and nothing else.
    """

    identity: Identity
    """What the objects are named after."""

    def __init__(
        self, name: str, args: RouterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        kind = type(self).__name__
        super().__init__(f"slipway:routing:{kind}", name, None, opts)
        self.identity = Identity(name, args["namespace"])
        self.route(args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        """Register the back end's objects."""
        raise NotImplementedError
