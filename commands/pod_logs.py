"""State and last log lines of the pods of a service."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands import kubectl
from commands.container_status import ContainerStatus
from commands.errors import CommandError

LOG_LINES = 8
"""Log lines of one pod."""
PODS = 2
"""Pods whose log lines are read."""


@dataclass(frozen=True)
class PodLogs:
    """Reads the logs of a service's container in the pods with some labels."""

    namespace: str
    service: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    context: str | None

    def read(self) -> Sequence[str]:
        """Return the state and the last log lines of pods, those that are not ready first.

        Raises :class:`CommandError` if the pods cannot be read.
        """
        items = kubectl.get(
            *("pods", "--namespace", self.namespace),
            *("--selector", kubectl.label_selector(self.labels)),
            *("--sort-by", ".metadata.creationTimestamp"),
            environment=self.environment,
            context=self.context,
        ).get("items", ())
        pods = sorted(items, key=lambda pod: ContainerStatus.of(pod, self.service).is_ready)
        return [line for pod in pods[:PODS] for line in self._lines(pod)]

    def _lines(self, pod: Mapping[str, Any]) -> Iterator[str]:
        name, status = pod["metadata"]["name"], ContainerStatus.of(pod, self.service)
        yield f"{name}: {status.problem or ('ready' if status.is_ready else 'not ready')}"
        try:
            text = kubectl.logs(
                name,
                self.namespace,
                self.service,
                lines=LOG_LINES,
                is_previous=status.restarts > 0 and not status.is_running,
                environment=self.environment,
                context=self.context,
            )
        except CommandError:
            return  # the container has not started
        yield from (f"  {line}" for line in text.splitlines())
