"""Istio implementation: a VirtualService with weights, and a DestinationRule for each Service."""

from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.labels import Identity
from components.prune import prune_none
from components.routing.dns import dns_annotations
from components.routing.router import Router, RouterArgs
from components.routing.split import Backend, TrafficSplit
from settings import IstioRouting, OutlierDetection, Route, RoutingSettings

ISTIO_API = "networking.istio.io/v1"

Json = dict[str, Any]


class IstioRouter(Router):
    """VirtualService attached to an existing Gateway of Istio."""

    def route(self, args: RouterArgs, opts: pulumi.ResourceOptions) -> None:
        split, settings = args["split"], args["settings"]
        policy = route_policy(args["route"], settings.istio)
        rules = [*_override_rules(split), _rule(split.paths, {}, split.backends)]
        CustomResource(
            f"{self.name}-virtual-service",
            api_version=ISTIO_API,
            kind="VirtualService",
            metadata=prune_none(
                {
                    "name": self.name,
                    "namespace": args["namespace"],
                    "labels": self.labels,
                    "annotations": dns_annotations(settings.dns) or None,
                }
            ),
            spec={
                "hosts": [*split.hosts],
                "gateways": [gateway_name(settings)],
                "http": [rule | policy for rule in rules],
            },
            opts=opts,
        )


class DestinationRulesArgs(TypedDict):
    """Arguments of :class:`DestinationRules`."""

    service: str
    """Name of the service, for the labels of the objects."""
    namespace: str
    hosts: Sequence[str]
    """Names of the Services that requests are routed to."""
    outlier_detection: OutlierDetection


class DestinationRules(pulumi.ComponentResource):
    """Outlier detection of the pods of each Service.

    A track has a Service of its own, so there are no subsets: they would need a Service of all
    tracks, by which callers outside the mesh would reach each of them.
    """

    def __init__(
        self,
        name: str,
        args: DestinationRulesArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:routing:DestinationRules", name, None, opts)
        labels = Identity(args["service"], args["namespace"]).labels
        for host in args["hosts"]:
            CustomResource(
                f"{host}-destination",
                api_version=ISTIO_API,
                kind="DestinationRule",
                metadata={"name": host, "namespace": args["namespace"], "labels": labels},
                spec={"host": host, "trafficPolicy": traffic_policy(args["outlier_detection"])},
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=opts.depends_on if opts else None
                ),
            )
        self.register_outputs({})


def gateway_name(routing: RoutingSettings) -> str:
    """Name of the Gateway with its namespace."""
    return f"{routing.istio.gateway.namespace}/{routing.istio.gateway.name}"


def route_policy(route: Route, istio: IstioRouting) -> Json:
    """Timeout and retries of the requests of a route."""
    retries, seconds = istio.retries, route.request_timeout_seconds
    policy: Json = {"attempts": retries.attempts}
    if retries.attempts:
        policy["retryOn"] = ",".join(retries.retry_on)
        if retries.per_try_timeout_seconds:
            policy["perTryTimeout"] = f"{retries.per_try_timeout_seconds}s"
    return {"retries": policy} | ({"timeout": f"{seconds}s"} if seconds else {})


def traffic_policy(outliers: OutlierDetection) -> Json:
    """Traffic policy of a Service. Its TLS is that which each pod accepts."""
    return {
        "outlierDetection": {
            "consecutiveGatewayErrors": outliers.consecutive_gateway_errors,
            # By default it ejects pods for five errors of the service itself.
            "consecutive5xxErrors": 0,
            "interval": f"{outliers.interval_seconds}s",
            "baseEjectionTime": f"{outliers.base_ejection_seconds}s",
            "maxEjectionPercent": outliers.max_ejection_percent,
            "minHealthPercent": outliers.min_health_percent,
        }
    }


def path_matches(paths: Sequence[str]) -> list[Json]:
    """Conditions of the requests below one of ``paths``.

    A prefix of Istio is text: that of a path ``/api`` would match ``/apis`` too.
    """
    return [
        match
        for path in paths
        for match in (
            [{"uri": {"prefix": "/"}}]
            if path == "/"
            else [
                {"uri": {"exact": path.rstrip("/")}},
                {"uri": {"prefix": f"{path.rstrip('/')}/"}},
            ]
        )
    ]


def cookie_pattern(cookie: str, value: str) -> str:
    """Regular expression of the header with a cookie."""
    return rf"(^|.*;\s*){cookie}={value}(;.*|$)"


def _override_rules(split: TrafficSplit) -> list[Json]:
    """Rules for the header, then for the cookie: the first rule that matches applies."""
    override = split.active_override
    backends = (("always", split.canary), ("never", split.stable))
    rules: list[Json] = []
    if header := override.header:
        rules += [
            _rule(split.paths, {header.lower(): {"exact": value}}, (backend,), weight=100)
            for value, backend in backends
            if backend
        ]
    if cookie := override.cookie:
        rules += [
            _rule(
                split.paths,
                {"cookie": {"regex": cookie_pattern(cookie, value)}},
                (backend,),
                weight=100,
            )
            for value, backend in backends
            if backend
        ]
    return rules


def _rule(
    paths: Sequence[str], headers: Json, backends: Sequence[Backend], weight: int | None = None
) -> Json:
    """A rule for the requests with the headers. ``weight`` overrides those of the backends."""
    return {
        "match": [
            match | ({"headers": headers} if headers else {}) for match in path_matches(paths)
        ],
        "route": [
            {
                "destination": {"host": one.service, "port": {"number": one.port}},
                "weight": one.weight if weight is None else weight,
            }
            for one in backends
        ],
    }
