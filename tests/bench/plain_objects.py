"""The same Kubernetes objects deployed by Pulumi, Helm and kubectl."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.project import CHECKOUT

PAIRS = 60
"""Number of Deployments, each with a Service."""

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
    """Return Deployments without replicas, so that no pods start, and their Services."""
    items: list[dict[str, Any]] = []
    for number in range(PAIRS):
        name = f"plain-{number:02}"
        labels = {"app.kubernetes.io/name": name}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        container = {
            "name": "app",
            "image": "registry.invalid/app:1",
            "ports": [{"containerPort": 80}],
        }
        items += [
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
                    # Without pods a Service never has endpoints.
                    "annotations": {"pulumi.com/skipAwait": "true"},
                },
                "spec": {"selector": labels, "ports": [{"port": 80}]},
            },
        ]
    return items


class Peer:
    """A tool that deploys the objects into its own namespace."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.namespace = f"bench-{name}"
        self.folder = folder / name
        self.folder.mkdir()
        self.environment = environment
        self.prepare(objects(self.namespace))

    def prepare(self, items: list[dict[str, Any]]) -> None:
        """Write the input of the tool."""
        raise NotImplementedError

    def commands(self) -> dict[str, Sequence[str]]:
        """Return the commands to measure, in order, by operation."""
        raise NotImplementedError

    def run(self, *command: str) -> float:
        """Run a command and return its duration in seconds."""
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

    def round(self) -> dict[str, float]:
        """Run all commands and return their durations in seconds."""
        self.run("kubectl", "create", "namespace", self.namespace)
        try:
            return {operation: self.run(*command) for operation, command in self.commands().items()}
        finally:
            self.clean()

    def clean(self) -> None:
        """Delete the namespace."""
        self.run("kubectl", "delete", "namespace", self.namespace, "--wait")


class Kubectl(Peer):
    """``kubectl apply --server-side``."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "objects.yaml").write_text(yaml.safe_dump_all(items))

    def commands(self) -> dict[str, Sequence[str]]:
        apply = ["kubectl", "apply", "--server-side", "--filename", "objects.yaml"]
        return {
            "new": apply,
            "unchanged": apply,
            "preview": [*apply, "--dry-run=server"],
            "destroy": ["kubectl", "delete", "--filename", "objects.yaml"],
        }


class Helm(Peer):
    """``helm upgrade --install`` of a chart without template expressions."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "chart" / "templates").mkdir(parents=True)
        chart = {"apiVersion": "v2", "name": "plain", "version": "1.0.0"}
        (self.folder / "chart" / "Chart.yaml").write_text(yaml.safe_dump(chart))
        (self.folder / "chart" / "templates" / "all.yaml").write_text(yaml.safe_dump_all(items))

    def commands(self) -> dict[str, Sequence[str]]:
        namespace = ["--namespace", self.namespace]
        upgrade = ["helm", "upgrade", "--install", "plain", "chart", *namespace]
        return {
            "new": upgrade,
            "unchanged": upgrade,
            "preview": [*upgrade, "--dry-run=server"],
            "destroy": ["helm", "uninstall", "plain", "--wait", *namespace],
        }


class Pulumi(Peer):
    """``pulumi up`` of a Python program."""

    def prepare(self, items: list[dict[str, Any]]) -> None:
        (self.folder / "objects.json").write_text(json.dumps(items))
        (self.folder / "__main__.py").write_text(PROGRAM)
        runtime = {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}}
        (self.folder / "Pulumi.yaml").write_text(
            yaml.safe_dump({"name": "bench-plain", "runtime": runtime})
        )
        self.run("pulumi", "stack", "select", "--create", "bench", "--non-interactive")

    def commands(self) -> dict[str, Sequence[str]]:
        stack = ["--stack", "bench", "--non-interactive"]
        update = ["pulumi", "up", "--yes", "--skip-preview", *stack]
        return {
            "new": update,
            "unchanged": update,
            "preview": ["pulumi", "preview", *stack],
            "destroy": ["pulumi", "destroy", "--yes", "--skip-preview", *stack],
        }

    def clean(self) -> None:
        self.run(*self.commands()["destroy"])
        super().clean()

    def remove(self) -> None:
        """Remove the stack from the backend."""
        self.run("pulumi", "stack", "rm", "--yes", "--stack", "bench")
