"""A pod that opens TCP connections, to test NetworkPolicies."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import images
from local.images import Image
from local.layout import Layout
from tests.cluster.project import Project

BUSYBOX = "/bin/busybox"
IMAGE = Image("slipway/network-client", "1", {BUSYBOX: Path(BUSYBOX)})
TIMEOUT_SECONDS = 5
"""Of a connection: rules of a new pod may be in place only for the third packet."""

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class NetworkClient:
    """A pod with the labels, and so the NetworkPolicies, of another pod.

    It never gets ready: it is no endpoint of the Services that select its labels.
    """

    project: Project
    namespace: str
    name: str

    @classmethod
    def create(
        cls,
        project: Project,
        namespace: str,
        name: str,
        labels: Mapping[str, str] = {},
        command: str = f"{BUSYBOX} sleep 3600",
    ) -> "NetworkClient":
        """Create the pod and wait until it runs."""
        images.push(Layout(), IMAGE)
        never = {"exec": {"command": [BUSYBOX, "false"]}, "periodSeconds": 3600}
        container = {
            "name": "client",
            "image": IMAGE.reference,
            "command": [BUSYBOX, "sh", "-c", command],
            "readinessProbe": never,
            "resources": {
                "requests": {"cpu": "1m", "memory": "8Mi"},
                "limits": {"cpu": "100m", "memory": "32Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
            "spec": {
                "automountServiceAccountToken": False,
                "containers": [container],
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "terminationGracePeriodSeconds": 0,
            },
        }
        manifest = project.folder / f"{name}.json"
        manifest.write_text(json.dumps(pod))
        client = cls(project, namespace, name)
        client.kubectl("apply", f"--filename={manifest}")
        running = "--for=jsonpath={.status.containerStatuses[0].started}=true"
        client.kubectl("wait", f"pod/{name}", running, "--timeout=60s")
        return client

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the pod's namespace and return its output."""
        return self.project.kubectl(f"--namespace={self.namespace}", *arguments)

    def open_of(self, addresses: Iterable[Address]) -> set[Address]:
        """Return those of ``addresses`` that accept a TCP connection of the pod."""
        words = [f"{host}:{port}" for host, port in addresses]
        script = (
            f"for each; do {{ {BUSYBOX} nc -w {TIMEOUT_SECONDS} ${{each%:*}} ${{each##*:}} "
            "</dev/null >/dev/null 2>&1 && echo $each; } & done; wait"
        )
        printed = self.kubectl(
            *("exec", self.name, "--", BUSYBOX, "sh", "-c", script, "sh"),
            *words,
        )
        found = (line.rpartition(":") for line in printed.split())
        return {(host, int(port)) for host, _, port in found}

    def delete(self) -> None:
        """Delete the pod."""
        self.kubectl("delete", "pod", self.name, "--wait=false")
