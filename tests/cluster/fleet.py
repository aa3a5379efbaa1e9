"""A fleet of seven clusters in three waves: the node, and six whose pods kwok simulates."""

import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kwok_clusters import kwok_clusters
from tests.cluster.project import Project

FIRST = "east1"
"""Stack in the cluster of the node."""
REGIONS = {
    "east": [FIRST, "east2", "east3"],
    "north": ["north1", "north2"],
    "singapore": ["singapore1", "singapore2"],
}
WAVES = {
    "first": [FIRST],
    "east": ["east2", "east3"],
    "others": [*REGIONS["north"], *REGIONS["singapore"]],
}
CONTEXTS = [name for names in WAVES.values() for name in names]
ROLLOUT = {"progressDeadlineSeconds": 20, "maxSurge": "100%"}
"""An update fails soon."""


@dataclass(frozen=True)
class Fleet:
    """Stacks that extend the stack ``base``, one in each cluster, in namespaces of one name."""

    base: Project
    """Its file has the settings of all stacks; it is not deployed."""
    stacks: Mapping[str, Project]
    """Stacks by context."""

    def command(self, target: str) -> Sequence[str]:
        return ("make", "--silent", target, "FLEET=prod")

    def run(self, target: str) -> "subprocess.CompletedProcess[str]":
        return self.base.run(*self.command(target), seconds=1200)

    def succeeds(self, target: str) -> str:
        """Run a make target, and return what it prints."""
        result = self.run(target)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def declare(self, version: str, **changes: Any) -> None:
        """Set the version of all stacks, and keys of their service."""
        with self.base.service() as service:
            service["release"]["stable"]["version"] = version
            service.update(changes)
        (self.base.folder / "app" / "VERSION").write_text(f"{version}\n")

    def files(self) -> Mapping[str, str]:
        return {context: stack.file.read_text() for context, stack in self.stacks.items()}

    def deployments(self) -> Mapping[str, Any]:
        """The Deployment of each cluster."""
        arguments = ("get", "deployment", "beacon-stable", "--output=json")
        return {
            context: json.loads(self.base.kubectl(f"--context={context}", *arguments))
            for context in CONTEXTS
        }

    def versions(self) -> Mapping[str, str]:
        """The version of each cluster whose pods are updated and ready."""
        return {
            context: one["metadata"]["labels"]["app.kubernetes.io/version"]
            for context, one in self.deployments().items()
            if one["status"]["readyReplicas"] == one["status"]["updatedReplicas"]
        }

    def served(self) -> str:
        """The version that the first stack serves."""
        return self.base.get("/version").headers["X-Version"]


@contextmanager
def fleet_of_seven(folder: Path, cluster_environment: Mapping[str, str]) -> Iterator[Fleet]:
    """Start the clusters, write the files of the fleet, and delete everything at the end."""
    name = f"test-{secrets.token_hex(3)}"
    with kwok_clusters(folder / "clusters", CONTEXTS[1:]) as clusters:
        kubeconfig = folder / "kubeconfig"
        config = yaml.safe_load(Path(cluster_environment["KUBECONFIG"]).read_text())
        config["contexts"] = [{"name": FIRST, "context": config["contexts"][0]["context"]}]
        config["current-context"] = FIRST
        for kind in ("clusters", "users", "contexts"):
            config[kind] += [entry for one in clusters for entry in one.kubeconfig[kind]]
        kubeconfig.write_text(yaml.safe_dump(config))
        base = Project.copy(
            folder / "project", name, {**cluster_environment, "KUBECONFIG": str(kubeconfig)}
        )
        with base.service() as service:
            service["autoscaling"] = {"minReplicas": 1, "maxReplicas": 2}
            service.setdefault("workload", {})["rollout"] = ROLLOUT
        stacks = {one: Project(base.folder, f"{name}-{one}", base.environment) for one in CONTEXTS}
        for context, stack in stacks.items():
            own = {"slipway:extends": name, "slipway:cluster": {"context": context}}
            stack.file.write_text(yaml.safe_dump({"config": own}))
        waves = [
            {"name": "first", "stacks": [stacks[FIRST].stack]},
            {"name": "east", "regions": ["east"]},
            {"name": "others", "regions": ["north", "singapore"], "parallelism": 2},
        ]
        regions = {region: [stacks[one].stack for one in of] for region, of in REGIONS.items()}
        content = {"prod": {"regions": regions, "waves": waves}}
        (base.folder / "fleet.yaml").write_text(yaml.safe_dump(content))
        try:
            yield Fleet(base, stacks)
        finally:
            first = stacks[FIRST]
            first.run("make", "--silent", "down", f"STACK={first.stack}", "ARGS=--yes")
            for stack in stacks.values():
                stack.remove_stack()
