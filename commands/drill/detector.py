"""Detection of a bad version: the first alert, failed gate or failed rollout."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from commands import kubectl
from commands.container_status import ContainerStatus
from commands.errors import CommandError
from commands.observability_client import ObservabilityClient
from commands.pods import Pods
from components.labels import NAME_LABEL, PRIMARY
from components.observability.monitored_service import MonitoredService
from components.observability.rules.canary_gate import canary_regression

By = Literal["alert", "gate", "rollout"]
_FAILED_REASONS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
    "RunContainerError",
}
"""Reasons for which a container waits, and which do not pass by themselves."""
_OUT_OF_MEMORY = "OOMKilled"
_VERSION = "app.kubernetes.io/version"


@dataclass(frozen=True)
class Detection:
    """The first sign of a bad version."""

    at: float
    """Unix time."""
    by: By
    detail: str
    is_ended: bool = False
    """True if the release has been rolled back by itself."""


class Detector:
    """Looks for signs of bad versions of a service.

    Without ``client`` there is no Prometheus: only failed rollouts are detected. ``is_alone`` is
    True if a bad version gets every request. ``pods`` are the names of the pods that had a version,
    of each version seen.
    """

    def __init__(
        self,
        service: MonitoredService,
        environment: Mapping[str, str],
        context: str | None,
        client: ObservabilityClient | None,
        *,
        is_alone: bool,
    ) -> None:
        self._is_alone = is_alone
        self._service = service
        self._environment = environment
        self._context = context
        self._client = client
        self.pods: dict[str, set[str]] = {}

    def find(self, version: str, began: float) -> tuple[By, str] | None:
        """Return the first sign that ``version`` is bad, and its details.

        Alerts that are active since before ``began`` are of another version.
        """
        for sign in self._signs(version, began):
            return sign
        return None

    def running(self, version: str) -> bool:
        """True if a pod has ``version``."""
        return any(_version_of(pod) == version for pod in self._objects("Pod"))

    def unready(self) -> Sequence[str]:
        """Names of the Deployments that have not all pods of their newest version ready."""
        deployments = self._objects("Deployment")
        return [one["metadata"]["name"] for one in deployments if not Pods.of(one).is_rolled_out]

    def _signs(self, version: str, began: float) -> Iterator[tuple[By, str]]:
        objects = list(self._objects("Deployment", "Pod"))
        for one in objects:
            if one["kind"] == "Pod" and _version_of(one) == version:
                self.pods.setdefault(version, set()).add(one["metadata"]["name"])
        for one in objects:
            if _version_of(one) == version and (problem := _problem(one)):
                yield "rollout", problem
        if self._client is None:
            return
        try:
            yield from self._measured_signs(self._client, version, began)
        except CommandError:
            return  # Prometheus does not respond: the next poll may succeed

    def _measured_signs(
        self, client: ObservabilityClient, version: str, began: float
    ) -> Iterator[tuple[By, str]]:
        if slo := self._service.slo:
            for one in client.query(canary_regression(slo, version)):
                yield "gate", f"{one.value:.1%} bad by {one.labels.get('sli', '?')}"
        for alert in client.alerts():
            is_new = datetime.fromisoformat(alert["activeAt"]).timestamp() >= began
            if is_new and alert["state"] == "firing" and self._is_about(version, alert["labels"]):
                yield "alert", alert["labels"]["alertname"]

    def _is_about(self, version: str, labels: Mapping[str, str]) -> bool:
        """True for an alert about a version: its labels name the version, its pod or its track.

        Objectives are those of the service: they tell of a version that gets every request.
        """
        if labels.get("namespace") != self._service.namespace:
            return False
        if "version" in labels:
            return labels["version"] == version
        if "pod" in labels:
            return labels["pod"] in self.pods.get(version, ())
        return self._is_alone and labels.get("service") == self._service.name

    def _objects(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Objects of these kinds of the service. Flagger names the pods of stable `…-primary`."""
        name = self._service.name
        found = kubectl.get(
            ",".join(f"{kind.lower()}s" for kind in kinds),
            *("--namespace", self._service.namespace),
            *("--selector", f"{NAME_LABEL} in ({name}, {name}{PRIMARY})"),
            environment=self._environment,
            context=self._context,
        )
        yield from found.get("items", ())


def _version_of(one: Mapping[str, Any]) -> str:
    return one["metadata"].get("labels", {}).get(_VERSION, "")


def _problem(one: Mapping[str, Any]) -> str:
    """Why a Deployment or a pod does not become ready. Empty: it may."""
    for condition in one.get("status", {}).get("conditions") or []:
        if condition["type"] == "Progressing" and condition["status"] == "False":
            return condition.get("reason", "")
    for container in ContainerStatus.all_of(one):
        if container.ended == _OUT_OF_MEMORY:
            return _OUT_OF_MEMORY
        if container.waiting in _FAILED_REASONS:
            return container.waiting
    return ""
