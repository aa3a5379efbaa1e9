"""Workload of one version: Deployment, HPA, PodDisruptionBudget, NetworkPolicy, ConfigMap."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.istio_sidecar import IstioSidecar
from components.labels import Identity, Labels
from components.observability.trace_receiver import TraceReceiver
from components.prune import omit_if_zero, prune_none
from components.service.config_file import ConfigFile
from components.service.credentials import CredentialNames
from components.service.network_policy import network_policy_spec
from components.service.pod import ServicePod
from settings import (
    Autoscaling,
    Network,
    Ports,
    Service,
    scaled_value,
)

if TYPE_CHECKING:
    from pulumi_kubernetes.autoscaling.v2 import HPAScalingRulesArgsDict, MetricSpecArgsDict
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
    from pulumi_kubernetes.policy.v1 import PodDisruptionBudgetSpecArgsDict

_RELOADER = "secret.reloader.stakater.com/reload"
"""Annotation of a Deployment with the Secrets whose change makes Reloader restart its pods."""


class WorkloadTemplate(TypedDict):
    """Arguments that the workloads of all tracks have in common."""

    namespace: str
    service: Service
    network: Network
    """Namespaces of the proxy and of Prometheus, which connect to the pods."""
    traces: NotRequired[TraceReceiver | None]
    """Receiver of spans. Default ``None``: tracing is disabled."""
    credentials: CredentialNames
    """Names of the Secrets to mount and of the image pull secrets."""
    stack_ports: Mapping[str, Ports]
    """Ports of each service of the stack."""
    sidecar: NotRequired[IstioSidecar | None]
    """Sidecar of the pods. Default ``None``: they are in no mesh."""


class WorkloadArgs(WorkloadTemplate):
    """Arguments of :class:`Workload`."""

    identity: Identity
    """Service, track and version."""
    image: pulumi.Input[str]
    """Image reference with digest."""
    keep_warm_seconds: NotRequired[int]
    """Minimum stabilization window for scaling down, in seconds. Default 0."""


class Workload(pulumi.ComponentResource):
    """A Deployment and the objects that it depends on; ready when its rollout is complete.

    The pods of a Knative Service depend on the same objects, but have no Deployment of their own.
    """

    def __init__(
        self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:workload:Workload", name, None, opts)
        self._name = name
        self._args = args
        self._service = args["service"]
        self._child = pulumi.ResourceOptions(parent=self)
        objects = [self._account(), *self._config_map(), self._network_policy()]
        if not self._service.is_knative:
            after = pulumi.ResourceOptions(parent=self, depends_on=[self._deployment(objects)])
            if self._service.autoscaling.enabled:
                self._autoscaler(after)
            self._disruption_budget(after)
        self.register_outputs({})

    def _metadata(self) -> "ObjectMetaArgsDict":
        return {
            "name": self._args["identity"].object_name,
            "namespace": self._args["namespace"],
            "labels": self._args["identity"].labels,
        }

    def _account(self) -> ServiceAccount:
        return ServiceAccount(
            f"{self._name}-account",
            metadata=prune_none(
                {
                    **self._metadata(),
                    "annotations": self._service.service_account.annotations or None,
                }
            ),
            # The pod spec sets it.
            automount_service_account_token=False,
            opts=self._child,
        )

    def _config_map(self) -> Sequence[ConfigMap]:
        config = ConfigFile.of(self._service)
        if config is None:
            return ()
        config_map = ConfigMap(
            f"{self._name}-config",
            metadata=self._metadata(),
            data={config.path.name: config.text},
            opts=self._child,
        )
        return (config_map,)

    def _deployment(self, depends_on: Sequence[pulumi.Resource]) -> Deployment:
        args, service = self._args, self._service
        identity, rollout = args["identity"], service.workload.rollout
        is_autoscaled = service.autoscaling.enabled
        is_progressive = service.release.strategy == "progressive"
        annotations = None
        if is_progressive:
            # Flagger scales the pods, and waits for them.
            annotations = {"pulumi.com/skipAwait": "true"}
        elif not is_autoscaled:
            # A deleted HPA can still be the field manager of `replicas`.
            annotations = {"pulumi.com/patchForce": "true"}
        if reloaded := args["credentials"].reloaded:
            annotations = {**(annotations or {}), _RELOADER: ",".join(reloaded)}
        sidecar = args.get("sidecar")
        pod = ServicePod(identity, args["image"], service, args["credentials"], args.get("traces"))
        pod_annotations = {
            **pod.annotations,
            **(sidecar.service_annotations(service) if sidecar else {}),
        }
        return Deployment(
            f"{self._name}-deployment",
            metadata=prune_none(
                {
                    **self._metadata(),
                    "annotations": annotations,
                }
            ),
            spec=prune_none(
                {
                    "replicas": service.start_replicas,
                    "selector": {"match_labels": identity.selector},
                    "strategy": {
                        "type": "RollingUpdate",
                        "rolling_update": {
                            "max_surge": rollout.max_surge,
                            "max_unavailable": rollout.max_unavailable,
                        },
                    },
                    "min_ready_seconds": omit_if_zero(rollout.min_ready_seconds),
                    "revision_history_limit": rollout.revision_history_limit,
                    "progress_deadline_seconds": rollout.progress_deadline_seconds,
                    "template": {
                        "metadata": {
                            "labels": identity.labels
                            | (sidecar.labels if sidecar else {})
                            | ({"owner": service.owner} if service.owner else {}),
                            "annotations": pod_annotations or None,
                        },
                        "spec": pod.spec,
                    },
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=depends_on,
                custom_timeouts=self._rollout_timeout(),
                # The HPA owns the replicas of an existing Deployment. Removing the declared value
                # would reset it to 1.
                ignore_changes=["spec.replicas"] if is_autoscaled else None,
            ),
        )

    def _rollout_timeout(self) -> pulumi.CustomTimeouts:
        """Progress deadline plus the maximum duration of a rollout.

        A rollout proceeds in batches of ``maxSurge + maxUnavailable`` pods. A batch takes at most
        until the startup probe fails, plus ``minReadySeconds`` and the termination grace period.
        The provider waits for the whole timeout even when the progress deadline is exceeded.
        """
        pods, replicas, probes = (
            self._service.workload,
            self._service.max_replicas,
            self._service.probes,
        )
        rollout, startup, readiness = pods.rollout, probes.startup, probes.readiness
        surge = scaled_value(rollout.max_surge, replicas)
        unavailable = scaled_value(rollout.max_unavailable, replicas, round_up=False)
        batches = ceil(replicas / max(surge + unavailable, 1))
        startup_seconds = (
            startup.initial_delay_seconds + startup.period_seconds * startup.failure_threshold
            if startup
            else 0
        )
        batch_seconds = (
            max(startup_seconds, readiness.initial_delay_seconds if readiness else 0)
            + rollout.min_ready_seconds
            + pods.termination_grace_period_seconds
        )
        seconds = rollout.progress_deadline_seconds + batches * batch_seconds
        return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s")

    def _autoscaler(self, opts: pulumi.ResourceOptions) -> None:
        scaling = self._service.autoscaling
        scale_down_window = max(
            scaling.scale_down_stabilization_window_seconds, self._args.get("keep_warm_seconds", 0)
        )
        HorizontalPodAutoscaler(
            f"{self._name}-autoscaler",
            metadata=self._metadata(),
            spec={
                "scale_target_ref": {
                    "api_version": "apps/v1",
                    "kind": "Deployment",
                    "name": self._args["identity"].object_name,
                },
                "min_replicas": scaling.min_replicas,
                "max_replicas": scaling.max_replicas,
                "metrics": _metrics(scaling),
                "behavior": {
                    "scale_up": _scaling_rules(scaling.scale_up_stabilization_window_seconds),
                    "scale_down": _scaling_rules(scale_down_window),
                },
            },
            opts=opts,
        )

    def _disruption_budget(self, opts: pulumi.ResourceOptions) -> None:
        PodDisruptionBudget(
            f"{self._name}-disruption",
            metadata=self._metadata(),
            spec=disruption_budget_spec(self._service, self._args["identity"].selector),
            opts=opts,
        )

    def _network_policy(self) -> NetworkPolicy:
        args, service, namespace = self._args, self._service, self._args["namespace"]
        return NetworkPolicy(
            f"{self._name}-network",
            metadata=self._metadata(),
            spec=network_policy_spec(
                service,
                args["identity"].selector,
                namespace,
                network=args["network"],
                traces=args.get("traces"),
                stack_ports=args["stack_ports"],
                sidecar=args.get("sidecar"),
            ),
            opts=self._child,
        )


def disruption_budget_spec(service: Service, pods: Labels) -> "PodDisruptionBudgetSpecArgsDict":
    """Return the spec of the PodDisruptionBudget of the service's pods with the labels ``pods``."""
    return {
        "max_unavailable": service.pod_disruption_budget.max_unavailable,
        "selector": {"match_labels": pods},
        # Pods that are not ready do not block a node drain.
        "unhealthy_pod_eviction_policy": "AlwaysAllow",
    }


def _scaling_rules(window: int) -> "HPAScalingRulesArgsDict":
    return {"stabilization_window_seconds": window}


def _metrics(scaling: Autoscaling) -> "list[MetricSpecArgsDict]":
    utilization = {"cpu": scaling.target_cpu, "memory": scaling.target_memory}
    resources: list[MetricSpecArgsDict] = [
        {
            "type": "Resource",
            "resource": {
                "name": name,
                "target": {"type": "Utilization", "average_utilization": percent},
            },
        }
        for name, percent in utilization.items()
        if percent is not None
    ]
    pods: list[MetricSpecArgsDict] = [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": metric.name},
                "target": {"type": "AverageValue", "average_value": str(metric.average_value)},
            },
        }
        for metric in scaling.pod_metrics
    ]
    return resources + pods
