"""Release of a service on Knative Serving: a Knative Service with the traffic of its versions.

The template of the Service is the version of stable. A canary is the revision of a Configuration of
its own, to which the traffic of the Service refers. So both templates are declared: what runs
depends neither on the revisions that the cluster still has, nor on the order of the updates.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.labels import Identity
from components.prune import prune_none
from components.service.pod import ServicePod
from components.service.workload import WorkloadArgs
from settings import QUEUE_PROXY, REVISION_HASH_LENGTH, ReleaseSettings, Service, Track

Json = dict[str, Any]

_SERVING = "serving.knative.dev/v1"
_DOMAIN_MAPPING = "serving.knative.dev/v1beta1"
_DOMAIN_CLAIM = "networking.internal.knative.dev/v1alpha1"
_AUTOSCALING = "autoscaling.knative.dev"
_QUEUE = "queue.sidecar.serving.knative.dev"
_PORT_NAMES = {"http": "http1", "h2c": "h2c", "grpc": "h2c"}
"""Names of a container port that tell Knative the protocol of a route."""
_WAIT = "pulumi.com/waitFor"


class KnativeReleaseArgs(TypedDict):
    """Arguments of :class:`KnativeRelease`."""

    release: ReleaseSettings
    workloads: Mapping[Track, WorkloadArgs]
    """Arguments of the pods of each running track."""
    dependencies: Mapping[Track, pulumi.Resource]
    """Workload of each track, on whose objects the pods depend."""


class KnativeRelease(pulumi.ComponentResource):
    """Knative Service, the Configuration of a canary, and DomainMappings of the hosts.

    Ready when the new revisions are, and requests are routed to them.
    """

    def __init__(
        self, name: str, args: KnativeReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:release:KnativeRelease", name, None, opts)
        self._args = args
        self._stable = args["workloads"]["stable"]
        self._service = self._stable["service"]
        self._child = pulumi.ResourceOptions(parent=self)
        canary = self._canary()
        service = self._knative_service(canary)
        self._domain_mappings(service)
        self.register_outputs({})

    def _canary(self) -> "tuple[CustomResource, pulumi.Output[str]] | None":
        """Configuration of the canary, and the name of its revision. ``None``: there is none."""
        args = self._args["workloads"].get("canary")
        if args is None:
            return None
        name = args["identity"].object_name
        template, revision = _template(args)
        configuration = CustomResource(
            f"{name}-configuration",
            api_version=_SERVING,
            kind="Configuration",
            metadata={
                "name": name,
                "namespace": args["namespace"],
                "labels": args["identity"].labels,
                "annotations": {_WAIT: _is_ready(revision)},
            },
            spec={"template": template},
            opts=self._after("canary", []),
        )
        return configuration, revision

    def _knative_service(
        self, canary: "tuple[CustomResource, pulumi.Output[str]] | None"
    ) -> CustomResource:
        args, service = self._stable, self._service
        template, revision = _template(args)
        weight = self._args["release"].canary_weight if canary else 0
        # Knative leaves the requests where they are until the named revisions are ready. With
        # `latestRevision`, a promotion would move those of the canary to the previous version.
        revisions = {"stable": (revision, 100 - weight)}
        if canary:
            revisions["canary"] = canary[1], weight
        traffic: list[Json] = [
            {"revisionName": name, "latestRevision": False, "percent": percent, "tag": track}
            for track, (name, percent) in revisions.items()
        ]
        is_ready = _is_ready(revision).apply(lambda ready: json.dumps([ready, "condition=Ready"]))
        local = {"networking.knative.dev/visibility": "cluster-local"}
        return CustomResource(
            f"{service.name}-service",
            api_version=_SERVING,
            kind="Service",
            metadata={
                "name": service.name,
                "namespace": args["namespace"],
                "labels": args["identity"].labels | ({} if service.routing else local),
                "annotations": {_WAIT: is_ready},
            },
            spec={"template": template, "traffic": traffic},
            opts=self._after("stable", [canary[0]] if canary else []),
        )

    def _after(self, track: Track, others: list[CustomResource]) -> pulumi.ResourceOptions:
        """Options of an object that starts pods of a track."""
        args = self._args["workloads"][track]
        seconds = args["service"].workload.rollout.progress_deadline_seconds
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=[self._args["dependencies"][track], *others],
            custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s"),
        )

    def _domain_mappings(self, service: CustomResource) -> None:
        routing, namespace = self._service.routing, self._stable["namespace"]
        labels = Identity(self._service.name, namespace).labels
        for host in routing.hosts if routing else ():
            name = f"{self._service.name}-{host}"
            claim = CustomResource(
                f"{name}-claim",
                api_version=_DOMAIN_CLAIM,
                kind="ClusterDomainClaim",
                metadata={"name": host, "labels": labels},
                spec={"namespace": namespace},
                opts=self._child,
            )
            CustomResource(
                f"{name}-mapping",
                api_version=_DOMAIN_MAPPING,
                kind="DomainMapping",
                metadata={
                    "name": host,
                    "namespace": namespace,
                    "labels": labels,
                    "annotations": {_WAIT: "condition=Ready"},
                },
                spec={
                    "ref": {
                        "apiVersion": _SERVING,
                        "kind": "Service",
                        "name": self._service.name,
                    }
                },
                opts=pulumi.ResourceOptions(parent=self, depends_on=[claim, service]),
            )


def _is_ready(revision: pulumi.Output[str]) -> pulumi.Output[str]:
    """Condition of a Configuration or Service whose newest revision is ready."""
    return pulumi.Output.concat("jsonpath={.status.latestReadyRevisionName}=", revision)


def _template(args: WorkloadArgs) -> tuple[pulumi.Output[Json], pulumi.Output[str]]:
    """Template of a track's revisions, and the name of its revision.

    Knative refuses another template with the name of a revision, so the name contains a hash of the
    template.
    """
    service, identity = args["service"], args["identity"]
    pod = ServicePod(identity, args["image"], service, args["credentials"], args.get("traces"))
    routing, settings = service.routing, service.workload.knative
    protocol = routing.protocol if routing else "http"
    spec = {
        **pod.knative_spec(_PORT_NAMES[protocol]),
        "timeout_seconds": routing.request_timeout_seconds if routing else None,
        "container_concurrency": settings.container_concurrency or None,
    }
    owner = {"owner": service.owner} if service.owner else {}
    metadata = {
        "labels": identity.labels | owner,
        "annotations": pod.annotations | _annotations(service),
    }
    template = pulumi.Output.from_input(
        {"metadata": metadata, "spec": _camel_case(prune_none(spec))}
    )
    name = template.apply(lambda one: f"{identity.object_name}-{_checksum(one)}")
    named = pulumi.Output.all(template, name).apply(
        lambda both: {**both[0], "metadata": {"name": both[1], **both[0]["metadata"]}}
    )
    return named, name


def _checksum(template: Json) -> str:
    text = json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:REVISION_HASH_LENGTH]


def _annotations(service: Service) -> dict[str, str]:
    settings = service.workload.knative
    seconds = service.workload.rollout.progress_deadline_seconds
    resources = {
        f"{_QUEUE}/{resource}-resource-{part}": getattr(values, resource)
        for part, values in (("request", QUEUE_PROXY.requests), ("limit", QUEUE_PROXY.limits))
        for resource in ("cpu", "memory")
    }
    return {
        f"{_AUTOSCALING}/min-scale": str(settings.min_scale),
        f"{_AUTOSCALING}/max-scale": str(settings.max_scale),
        f"{_AUTOSCALING}/initial-scale": str(settings.initial_scale),
        f"{_AUTOSCALING}/metric": settings.metric,
        f"{_AUTOSCALING}/target": str(settings.target),
        f"{_AUTOSCALING}/scale-down-delay": f"{settings.scale_down_delay_seconds}s",
        f"{_AUTOSCALING}/scale-to-zero-pod-retention-period": (
            f"{settings.scale_to_zero_retention_seconds}s"
        ),
        "serving.knative.dev/progress-deadline": f"{seconds}s",
        **resources,
    }


def _camel_case(value: Any) -> Any:  # noqa: ANN401
    """``value`` with the field names of Kubernetes, which the SDK translates in its own types only.

    Labels and resources have no underscores.
    """
    if isinstance(value, dict):
        return {
            re.sub("_([a-z])", lambda found: found[1].upper(), key.rstrip("_")): _camel_case(one)
            for key, one in value.items()
        }
    return [_camel_case(one) for one in value] if isinstance(value, list) else value
