"""Progressive release of a service: the Canary of Flagger, its gates, and the primary's objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Service as KubernetesService
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.labels import PRIMARY, Identity, Labels
from components.observability.addresses import LOAD_TESTER
from components.observability.release_gates import VERSION, ReleaseGate
from components.prune import prune_none
from components.routing.dns import dns_annotations
from components.routing.gateway import hsts, parent_refs
from components.routing.istio import (
    cookie_pattern,
    gateway_name,
    path_matches,
    route_policy,
    traffic_policy,
)
from components.service.network_policy import network_policy_spec
from components.service.workload import WorkloadArgs, disruption_budget_spec
from settings import Match, Route, RoutingBackend, RoutingSettings, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

Json = dict[str, Any]

MIN_INTERVAL = 10
"""Seconds of the shortest interval of Flagger."""
APP_PROTOCOLS = {"http": None, "h2c": "kubernetes.io/h2c", "grpc": "kubernetes.io/h2c"}
"""``appProtocol`` of the port of a Service, by the protocol of its route."""
_API = "flagger.app/v1beta1"
_PROVIDERS: Mapping[RoutingBackend, str] = {
    "ingress": "nginx",
    "gateway": "gatewayapi:v1",
    "istio": "istio",
}
"""Flagger's name of each back end."""
_REQUESTS_PER_WORKER = 10
"""Requests per second of a worker of the load tester; it waits for each response."""


@dataclass(frozen=True)
class Analysis:
    """Gates of a progressive release, and the servers that evaluate them."""

    gates: Sequence[ReleaseGate]
    prometheus: str
    """URL of Prometheus, which answers the queries of the gates."""
    controller: pulumi.Resource | None = None
    """Flagger of the stack. The Canary is created after it."""


class ProgressiveRelease(pulumi.ComponentResource):
    """Canary, MetricTemplates, and objects for the pods of the primary, which Flagger creates.

    Flagger creates the Deployment and the HPA of the primary, two Services and, with the Gateway
    API, the HTTPRoute, or with Istio the VirtualService and its DestinationRules. It scales the
    Deployment of the workload, which runs a new version only.
    The component is ready when the primary's pods are.
    """

    pods: Labels
    """Labels of the primary's pods."""

    def __init__(
        self,
        name: str,
        args: WorkloadArgs,
        analysis: Analysis,
        workload: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:release:ProgressiveRelease", name, None, opts)
        self._name = name
        self._args = args
        self._analysis = analysis
        self._controller = [analysis.controller] if analysis.controller else []
        self._target = args["identity"].object_name
        service, routing = args["service"], args["service"].routing
        if routing is None:
            raise ValueError(f"{service.name} has no routing: its requests cannot be shifted")
        primary = Identity(f"{service.name}{PRIMARY}", args["namespace"], args["identity"].track)
        self.pods = primary.selector
        self._labels = Identity(service.name, args["namespace"]).labels
        child = pulumi.ResourceOptions(parent=self)
        canary = self._canary(
            service,
            routing,
            [
                workload,
                *self._controller,
                self._apex_service(service, routing, child),
                self._primary_network_policy(child),
                *(self._metric_template(gate) for gate in analysis.gates),
            ],
        )
        PodDisruptionBudget(
            f"{name}-primary-disruption",
            metadata={
                **self._metadata(f"{self._target}{PRIMARY}"),
                # True when all pods of the primary are ready: requests can be routed to them.
                "annotations": {"pulumi.com/waitFor": "condition=DisruptionAllowed"},
            },
            spec=disruption_budget_spec(service, self.pods),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[canary], custom_timeouts=self._timeouts(service)
            ),
        )
        self.register_outputs({})

    def _metadata(self, name: str) -> "ObjectMetaArgsDict":
        return {"name": name, "namespace": self._args["namespace"], "labels": self._labels}

    def _timeouts(self, service: Service) -> pulumi.CustomTimeouts:
        """Flagger acts once per interval, and waits for the primary's pods."""
        seconds = (
            service.workload.rollout.progress_deadline_seconds
            + 3 * service.release.progressive.interval_seconds
        )
        return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s")

    def _apex_service(
        self, service: Service, routing: RoutingSettings, opts: pulumi.ResourceOptions
    ) -> KubernetesService:
        """Service of the primary, as Flagger would create it.

        An Ingress refers to it before Flagger has created the primary.
        """
        return KubernetesService(
            f"{self._name}-service",
            metadata={
                **self._metadata(self._target),
                # There are no endpoints to wait for before Flagger creates the primary.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec=prune_none(
                {
                    "type": "ClusterIP",
                    "selector": {"app.kubernetes.io/name": f"{service.name}{PRIMARY}"},
                    "ports": [
                        {
                            "name": routing.port,
                            "port": service.ports[routing.port],
                            "target_port": routing.port,
                            "protocol": "TCP",
                            "app_protocol": APP_PROTOCOLS[routing.protocol],
                        }
                    ],
                }
            ),
            opts=opts,
        )

    def _primary_network_policy(self, opts: pulumi.ResourceOptions) -> NetworkPolicy:
        args = self._args
        return NetworkPolicy(
            f"{self._name}-primary-network",
            metadata=self._metadata(f"{self._target}{PRIMARY}"),
            spec=network_policy_spec(
                args["service"],
                self.pods,
                args["namespace"],
                network=args["network"],
                traces=args.get("traces"),
                stack_ports=args["stack_ports"],
                sidecar=args.get("sidecar"),
            ),
            opts=opts,
        )

    def _metric_template(self, gate: ReleaseGate) -> CustomResource:
        name = self._template_name(gate)
        return CustomResource(
            f"{self._name}-gate-{gate.name}",
            api_version=_API,
            kind="MetricTemplate",
            metadata=self._metadata(name),
            spec={
                "provider": {"type": "prometheus", "address": self._analysis.prometheus},
                "query": _go_template(gate.query),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._controller),
        )

    def _template_name(self, gate: ReleaseGate) -> str:
        # The name of a service has no dots, so the templates of two services differ.
        return f"{self._args['service'].name}.{gate.name}"

    def _canary(
        self, service: Service, routing: RoutingSettings, depends_on: Sequence[pulumi.Resource]
    ) -> CustomResource:
        is_ingress = routing.backend == "ingress"
        initialized = {"pulumi.com/waitFor": "jsonpath={.status.lastAppliedSpec}"}
        autoscaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
        return CustomResource(
            f"{self._name}-canary",
            api_version=_API,
            kind="Canary",
            metadata=prune_none(
                {
                    **self._metadata(self._target),
                    # Flagger has created the route. With an Ingress, it waits for the program to
                    # route requests to the Service.
                    "annotations": None if is_ingress else initialized,
                }
            ),
            spec=prune_none(
                {
                    "provider": _PROVIDERS[routing.backend],
                    "targetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": self._target,
                    },
                    "autoscalerRef": {**autoscaler, "name": self._target},
                    "ingressRef": {
                        "apiVersion": "networking.k8s.io/v1",
                        "kind": "Ingress",
                        "name": service.route_name(routing.port),
                    }
                    if is_ingress
                    else None,
                    "progressDeadlineSeconds": service.workload.rollout.progress_deadline_seconds,
                    "suspend": True if service.release.progressive.paused else None,
                    "skipAnalysis": None if service.release.stable.analysis else True,
                    "service": {
                        "port": service.ports[routing.port],
                        "portName": routing.port,
                        "targetPort": routing.port,
                        "portDiscovery": False,
                        "appProtocol": APP_PROTOCOLS[routing.protocol],
                        **self._route(service, routing),
                    },
                    "analysis": self._spec_of_analysis(service, routing),
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=depends_on, custom_timeouts=self._timeouts(service)
            ),
        )

    def _route(self, service: Service, routing: RoutingSettings) -> Json:
        """Fields of the route that Flagger creates."""
        match routing.backend:
            case "gateway":
                return _http_route(service, routing, self._args["namespace"])
            case "istio":
                return _virtual_service(routing)
            case "ingress":
                return {}

    def _spec_of_analysis(self, service: Service, routing: RoutingSettings) -> Json:
        settings = service.release.progressive
        is_stepwise = settings.iterations is None
        match = settings.match
        # Flagger looks at a Canary at once when its interval has changed, and a version without
        # analysis waits for nothing else.
        interval = settings.interval_seconds if service.release.stable.analysis else MIN_INTERVAL
        return {
            "interval": f"{interval}s",
            "threshold": settings.threshold,
            "iterations": settings.iterations,
            "stepWeights": [*settings.weights] if is_stepwise else None,
            "stepWeightPromotion": settings.promotion_step_weight if is_stepwise else None,
            "mirror": True if settings.mirror else None,
            "match": _ab_test(match, routing) if match else None,
            "metrics": [
                {
                    "name": gate.name,
                    "templateRef": {
                        "name": self._template_name(gate),
                        "namespace": self._args["namespace"],
                    },
                    "templateVariables": {"version": service.release.stable.version},
                    "thresholdRange": {
                        key: value
                        for key, value in (("min", gate.min), ("max", gate.max))
                        if value is not None
                    },
                }
                for gate in self._analysis.gates
            ],
            "webhooks": self._webhooks(service, routing) or None,
        }

    def _webhooks(self, service: Service, routing: RoutingSettings) -> list[Json]:
        settings = service.release.progressive
        url = LOAD_TESTER.url(self._args["namespace"])
        hooks: list[Json] = [
            {"name": f"confirm-{gate}", "type": f"confirm-{gate}", "url": f"{url}/gate/check"}
            for gate in settings.manual
        ]
        if load := settings.load:
            address = f"{self._target}-canary.{self._args['namespace']}"
            workers = ceil(load.requests_per_second / _REQUESTS_PER_WORKER)
            command = (
                f"hey -z {settings.interval_seconds}s -c {workers} "
                f"-q {load.requests_per_second / workers:g} "
                f"http://{address}:{service.ports[routing.port]}{load.path}"
            )
            # The first check needs requests too.
            hooks += [
                {
                    "name": f"load-{hook}",
                    "type": hook,
                    "url": f"{url}/",
                    "timeout": "5s",
                    "metadata": {"type": "cmd", "cmd": command},
                }
                for hook in ("pre-rollout", "rollout")
            ]
        return hooks


def _http_route(service: Service, routing: RoutingSettings, namespace: str) -> Json:
    """Fields of the HTTPRoute that Flagger creates."""
    headers, annotations = hsts(routing), dns_annotations(routing.dns)
    return {
        "hosts": [*routing.hosts],
        "gatewayRefs": parent_refs(routing, service.name, namespace),
        "match": _paths(routing),
        "headers": {"response": {"set": headers}} if headers else None,
        "timeout": _timeout(routing, service.release.progressive.match),
        "apex": {"annotations": annotations} if annotations else None,
    }


def _virtual_service(routing: RoutingSettings) -> Json:
    """Fields of the VirtualService and the DestinationRules that Flagger creates."""
    annotations, outliers = dns_annotations(routing.dns), routing.istio.outlier_detection
    return {
        "hosts": [*routing.hosts],
        "gateways": [gateway_name(routing)],
        "match": None if routing.paths == ("/",) else path_matches(routing.paths),
        "trafficPolicy": traffic_policy(outliers) if outliers else None,
        "apex": {"annotations": annotations} if annotations else None,
        **route_policy(routing, routing.istio),
    }


def _paths(route: Route) -> list[Json] | None:
    """Path prefixes. ``None``: all paths."""
    prefixes: list[Json] = [{"uri": {"prefix": path}} for path in route.paths]
    return None if route.paths == ("/",) else prefixes


def _timeout(route: Route, match: Match | None) -> str | None:
    if route.request_timeout_seconds:
        return f"{route.request_timeout_seconds}s"
    # The second rule of an A/B test always has the field; the API server rejects an empty one.
    return "0s" if match else None


def _ab_test(match: Match, routing: RoutingSettings) -> list[Json]:
    """Conditions of which a request to the new version meets one."""
    conditions: list[Mapping[str, Json]] = []
    if match.header:
        conditions.append({match.header.lower(): {"exact": match.header_value}})
    if match.cookie:
        pattern = cookie_pattern(match.cookie, "always")
        is_ingress = routing.backend == "ingress"
        conditions.append({"cookie": {"exact": match.cookie} if is_ingress else {"regex": pattern}})
    return [{"headers": condition} for condition in conditions]


def _go_template(query: str) -> str:
    """The query as Flagger's template: Go's actions are only those that this function adds."""
    escaped = query.replace("{{", '{{ "{{" }}')
    return escaped.replace(VERSION, "{{ variables.version }}")
