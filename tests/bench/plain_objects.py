"""The same plain objects through `pulumi up`, `helm` and `kubectl apply`, turn by turn."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.project import CHECKOUT

PAIRS = 60
"""Deployments, each with a Service."""

PROGRAM = """\
import json
from pathlib import Path

import pulumi_kubernetes as kubernetes

KINDS = {"Deployment": kubernetes.apps.v1.Deployment, "Service": kubernetes.core.v1.Service}

for item in json.loads(Path("objects.json").read_text()):
    name = f"{item['kind'].lower()}-{item['metadata']['name']}"
    KINDS[item["kind"]](name, metadata=item["metadata"], spec=item["spec"])
"""


def objects(namespace: str) -> list[dict[str, Any]]:
    """Deployments at no replicas, so that no pod's start is measured, and their Services."""
    made = []
    for number in range(PAIRS):
        name = f"plain-{number:02}"
        labels = {"app.kubernetes.io/name": name}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        container = {
            "name": "app",
            "image": "registry.invalid/app:1",
            "ports": [{"containerPort": 80}],
        }
        made += [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [container]},
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {
                    **metadata,
                    # A Service without pods never has endpoints to wait for.
                    "annotations": {"pulumi.com/skipAwait": "true"},
                },
                "spec": {"selector": labels, "ports": [{"port": 80}]},
            },
        ]
    return made


class Peer:
    """One tool at work on the objects, in a namespace of its own."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.namespace = f"bench-{name}"
        self.folder = folder / name
        self.folder.mkdir()
        self.environment = environment
        self.prepare(objects(self.namespace))

    def prepare(self, items: list[dict[str, Any]]) -> None:
        """Write what the tool reads."""
        raise NotImplementedError

    def apply(self) -> Sequence[str]:
        """The command that makes the objects, and that finds nothing to do the second time."""
        raise NotImplementedError

    def run(self, *command: str) -> float:
        """Run ``command`` and return its seconds."""
        started = time.monotonic()
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{result.stdout}\n{result.stderr}")
        return seconds

    def round(self) -> tuple[float, float]:
        """Seconds to make all the objects, and to find them unchanged."""
        self.run("kubectl", "create", "namespace", self.namespace)
        try:
            return self.run(*self.apply()), self.run(*self.apply())
        finally:
            self.clean()

    def clean(self) -> None:
        """Delete what was made."""
        self.run("kubectl", "delete", "namespace", self.namespace, "--wait")


class Kubectl(Peer):
    """``kubectl apply --server-side``."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "objects.yaml").write_text(yaml.safe_dump_all(items))

    def apply(self) -> Sequence[str]:
        return ["kubectl", "apply", "--server-side", "--filename", "objects.yaml"]


class Helm(Peer):
    """``helm upgrade --install`` of a chart that holds them as they are."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "chart" / "templates").mkdir(parents=True)
        chart = {"apiVersion": "v2", "name": "plain", "version": "1.0.0"}
        (self.folder / "chart" / "Chart.yaml").write_text(yaml.safe_dump(chart))
        (self.folder / "chart" / "templates" / "all.yaml").write_text(yaml.safe_dump_all(items))

    def apply(self) -> Sequence[str]:
        return ["helm", "upgrade", "--install", "plain", "chart", "--namespace", self.namespace]


class Pulumi(Peer):
    """``pulumi up`` of a Python program, its start included."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "objects.json").write_text(json.dumps(items))
        (self.folder / "__main__.py").write_text(PROGRAM)
        runtime = {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}}
        (self.folder / "Pulumi.yaml").write_text(
            yaml.safe_dump({"name": "bench-plain", "runtime": runtime})
        )
        self.run("pulumi", "stack", "select", "--create", "bench", "--non-interactive")

    def apply(self) -> Sequence[str]:
        return ["pulumi", "up", "--yes", "--skip-preview", "--stack", "bench", "--non-interactive"]

    def clean(self) -> None:
        self.run("pulumi", "destroy", "--yes", "--skip-preview", "--stack", "bench")
        super().clean()

    def remove(self) -> None:
        """Forget the stack."""
        self.run("pulumi", "stack", "rm", "--yes", "--stack", "bench")
