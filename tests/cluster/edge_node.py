"""An edge node without a machine: kwok reports for its kubelet."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any, Self

from local.layout import Layout
from settings import ARCHITECTURE, EDGE_NODE, NODE_GROUP
from tests.cluster.kubectl import kubectl
from tests.cluster.project import wait_until
from tests.cluster.server import build, start

_CAPACITY = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "16Gi", "pods": "110"}
TAINT = {"key": EDGE_NODE, "effect": "NoSchedule"}


class EdgeNode:
    """A Node with the labels and the taint of an edge node, while the block runs.

    Its pods run as soon as they are scheduled, with no container.
    """

    def __init__(self, name: str, group: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._group = group
        self._environment = environment
        self._kwok: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        build("kwok")
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            ARCHITECTURE: "arm64",
            EDGE_NODE: "",
            NODE_GROUP: self._group,
        }
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"taints": [TAINT]},
            "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
        }
        self._kubectl("create", "--filename=-", stdin=json.dumps(node))
        self._kwok = start(
            "kwok",
            f"--kubeconfig={Layout().kubeconfig}",
            f"--manage-single-node={self.name}",
            "--node-lease-duration-seconds=40",
            "--node-port=0",
            environment=self._environment,
        )
        wait_until("the edge node", lambda: self.ready == "True", seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        if self._kwok:
            self.disconnect()
        self._kubectl("delete", "node", self.name)
        # Only a kubelet ends a pod that is being deleted.
        for pod in self.pods():
            metadata = pod["metadata"]
            self._kubectl(
                *("delete", "pod", metadata["name"], "--namespace", metadata["namespace"]),
                *("--force", "--grace-period=0", "--ignore-not-found"),
            )

    def disconnect(self) -> None:
        """Cut the node off: nothing reports for it any more."""
        assert self._kwok
        self._kwok.kill()
        self._kwok.wait()
        self._kwok = None

    @property
    def ready(self) -> str:
        """Status of the condition ``Ready``. ``Unknown``: the node is offline."""
        conditions = self._get("node", self.name).get("status", {}).get("conditions", [])
        return next((one["status"] for one in conditions if one["type"] == "Ready"), "")

    @property
    def taints(self) -> set[tuple[str, str]]:
        """Keys and effects of the taints."""
        taints = self._get("node", self.name)["spec"].get("taints", [])
        return {(one["key"], one["effect"]) for one in taints}

    def pods(self) -> list[dict[str, Any]]:
        """Pods that are bound to the node, also those that are being deleted."""
        bound = f"--field-selector=spec.nodeName={self.name}"
        return self._get("pods", "--all-namespaces", bound)["items"]

    def _get(self, *arguments: str) -> Any:
        return json.loads(self._kubectl("get", *arguments, "--output=json"))

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return kubectl(*arguments, environment=self._environment, stdin=stdin)
