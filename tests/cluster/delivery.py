"""A stack that a real Argo CD syncs from a Git repository."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.argocd import ArgoCd
from tests.cluster.git_server import GitServer
from tests.cluster.project import Project

SETTLE_SECONDS = int(os.environ.get("SETTLE_SECONDS", "20"))
"""Time after a change in which nobody may change what is synced."""
_PATH = "shop"
"""Folder of the stack in the repository."""
_BY_OWNER = ("argocd.argoproj.io/", "deployment.kubernetes.io/revision", "pulumi.com/")
"""Prefixes of annotations that depend on the owner or on the history of an object."""
_BY_CLUSTER = ("clusterIP", "clusterIPs", "replicas", "finalizers")
"""Fields of a spec that the cluster sets."""

Objects = dict[str, dict[str, Any]]


@dataclass
class Delivery:
    """A stack, the repository of its manifests, and the Argo CD that syncs them."""

    project: Project
    git: GitServer
    argocd: ArgoCd
    revision: str = ""
    """Last commit that was to be synced."""

    @property
    def name(self) -> str:
        """Name of the Application."""
        return f"slipway-{self.project.stack}"

    @property
    def _sync_file(self) -> Path:
        return self.git.checkout / _PATH / "sync.yaml"

    def set_mode(self, mode: str) -> None:
        """Set the owner of the stack in its stack file."""
        with self.project.config() as config:
            config["slipway:delivery"]["mode"] = mode

    def publish(self) -> None:
        """Publish the images and write the manifests."""
        self.project.make("publish")
        self.project.make("gitops", f"OUT={self.git.checkout / _PATH}")

    def commit(self, message: str) -> None:
        """Publish, commit and wait until that is synced."""
        self.publish()
        self.wait_for(self.git.commit(message))

    def start(self) -> None:
        """Publish and commit, create the Application and wait until the commit is synced."""
        self.publish()
        revision = self.git.commit("Deliver the stack")
        self.argocd.apply(self._sync_file)
        self.wait_for(revision)

    def stop(self) -> None:
        """Delete the Application, and none of its objects."""
        self.argocd.delete(self._sync_file)

    def wait_for(self, revision: str) -> None:
        """Wait until a commit is synced."""
        self.revision = revision
        self.argocd.wait_for(self.name, revision)

    def assert_stays_synced(self) -> None:
        """Assert that nobody changes what is synced, and that Argo CD finds no difference."""
        self.wait_for(self.revision)
        synced = self.argocd.status(self.name)["operationState"]["startedAt"]
        before = self.objects()
        time.sleep(SETTLE_SECONDS)
        assert self.argocd.differences(self.name) == []
        assert self.argocd.status(self.name)["operationState"]["startedAt"] == synced
        assert self.objects() == before

    def sync_objects(self) -> list[Any]:
        """The objects that sync the manifests."""
        return [*yaml.safe_load_all(self._sync_file.read_text())]

    def objects(self) -> Objects:
        """Live objects of the manifests, without what depends on the owner and the cluster."""
        folder = str(self.git.checkout / _PATH / "manifests")
        # Without a namespace: a stack has several.
        found = self.project.run(
            "kubectl", "get", "--filename", folder, "--ignore-not-found", "--output", "json"
        )
        assert found.returncode == 0, found.stderr
        return {
            f"{one['kind']}/{one['metadata']['name']}": _comparable(one)
            for one in json.loads(found.stdout)["items"]
        }

    def pods(self) -> dict[str, str]:
        """UID of each pod by its name."""
        items = json.loads(self.project.kubectl("get", "pods", "--output", "json"))["items"]
        assert all(one["restartCount"] == 0 for item in items for one in _containers(item))
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod["status"]["containerStatuses"]


def _comparable(live: dict[str, Any]) -> dict[str, Any]:
    metadata, spec = live["metadata"], live.get("spec", {})
    annotations = metadata.get("annotations", {}).items()
    return {
        **{key: value for key, value in live.items() if key not in ("metadata", "spec", "status")},
        "labels": metadata.get("labels"),
        "annotations": {key: value for key, value in annotations if not key.startswith(_BY_OWNER)},
        "spec": {key: value for key, value in spec.items() if key not in _BY_CLUSTER},
    }


@contextmanager
def delivered(project: Project, folder: Path) -> Iterator[Delivery]:
    """Start Argo CD and a Git server, in ``folder``. The stack stays Pulumi's at first."""
    namespace = f"{project.stack}-argocd"
    for name in ("git", "argocd"):
        (folder / name).mkdir()
    with (
        GitServer(folder / "git") as git,
        ArgoCd(namespace, project.environment, folder / "argocd") as argocd,
    ):
        with project.config() as config:
            config["slipway:delivery"] = {
                "mode": "pulumi",
                "repository": git.url,
                "path": _PATH,
                "argocd": {"namespace": namespace},
            }
        yield Delivery(project, git, argocd)
