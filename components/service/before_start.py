"""Job with a version's image that must succeed before the version's pods start."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components.istio_sidecar import IstioSidecar
from components.labels import BEFORE_START, Identity
from components.observability.trace_receiver import TraceReceiver
from components.prune import prune_none
from components.service.config_file import ConfigFile
from components.service.credentials import CredentialNames
from components.service.network_policy import egress_rules
from components.service.pod import ServicePod
from settings import BeforeStart, Ports, Service

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

_AWAIT_SECONDS = 60
"""Seconds after ``activeDeadlineSeconds`` for the Job controller to set the status of the Job."""


class BeforeStartJobsArgs(TypedDict):
    """Arguments of :class:`BeforeStartJobs`."""

    service: Service
    namespace: str
    job: BeforeStart
    """Command, timeout and retries."""
    images: Mapping[str, pulumi.Input[str]]
    """Image reference with digest, by version."""
    replaced: NotRequired[str | None]
    """Older one of two versions: its Job has run and is not changed."""
    credentials: CredentialNames
    """Names of the Secrets."""
    traces: TraceReceiver | None
    """Receiver of spans. ``None``: tracing is disabled."""
    stack_ports: Mapping[str, Ports]
    """Ports of each service of the stack."""
    sidecar: IstioSidecar | None
    """Sidecar of the pods. ``None``: they are in no mesh."""


class BeforeStartJobs(pulumi.ComponentResource):
    """A Job for each version, and the objects that the Jobs have in common.

    A Job keeps its name when its version moves from one track to the other, so it runs once. It
    runs again after a failure, and if its own pod template changes before a newer version is there.
    """

    jobs: Mapping[str, Job]
    """Job of each version."""

    def __init__(
        self, name: str, args: BeforeStartJobsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:beforestart:BeforeStartJobs", name, None, opts)
        self._name = name
        self._args = args
        dependencies = self._dependencies()
        self.jobs = {
            version: self._job(version, image, dependencies)
            for version, image in args["images"].items()
        }
        self.register_outputs({})

    def _identity(self, version: str | None = None) -> Identity:
        return Identity(self._args["service"].name, self._args["namespace"], BEFORE_START, version)

    def _metadata(self) -> "ObjectMetaArgsDict":
        identity = self._identity()
        return {
            "name": identity.object_name,
            "namespace": identity.instance,
            "labels": identity.labels,
        }

    def _dependencies(self) -> Sequence[pulumi.Resource]:
        args, metadata = self._args, self._metadata()
        service, child = args["service"], pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(
            f"{self._name}-account",
            metadata=prune_none(
                {**metadata, "annotations": service.service_account.annotations or None}
            ),
            automount_service_account_token=False,
            opts=child,
        )
        policy = NetworkPolicy(
            f"{self._name}-network",
            metadata=metadata,
            spec={
                "pod_selector": {"match_labels": self._identity().selector},
                "policy_types": ["Ingress", "Egress"],
                "egress": egress_rules(
                    service,
                    args["namespace"],
                    args["traces"],
                    args["stack_ports"],
                    args["sidecar"],
                ),
            },
            opts=child,
        )
        config = ConfigFile.of(service)
        if config is None:
            return [account, policy]
        config_map = ConfigMap(
            f"{self._name}-config",
            metadata=metadata,
            data={config.path.name: config.text},
            opts=child,
        )
        return [account, policy, config_map]

    def _job(
        self, version: str, image: pulumi.Input[str], dependencies: Sequence[pulumi.Resource]
    ) -> Job:
        args, job, identity = self._args, self._args["job"], self._identity(version)
        pod = ServicePod(identity, image, args["service"], args["credentials"], args["traces"])
        sidecar = args["sidecar"]
        annotations = {**(sidecar.annotations if sidecar else {}), **pod.env_reasons}
        seconds = job.timeout_seconds + _AWAIT_SECONDS
        suffix = version.replace(".", "-").lower()
        return Job(
            f"{self._name}-{suffix}",
            metadata={
                **self._metadata(),
                "name": f"{identity.object_name}-{suffix}",
                "labels": identity.labels,
                "annotations": {"pulumi.com/replaceUnready": "true"},
            },
            spec=prune_none(
                {
                    "active_deadline_seconds": job.timeout_seconds,
                    "backoff_limit": job.backoff_limit,
                    "template": {
                        "metadata": {
                            "labels": identity.labels | (sidecar.labels if sidecar else {}),
                            "annotations": annotations or None,
                        },
                        "spec": pod.job_spec(job),
                    },
                }
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=dependencies,
                ignore_changes=["spec"] if version == args.get("replaced") else None,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s"),
            ),
        )
