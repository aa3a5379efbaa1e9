"""Argo CD on this machine, for the cluster of the tests."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from local.layout import Layout
from tests.cluster.installation import Installation
from tests.cluster.kubectl import kubectl
from tests.cluster.project import wait_until
from tests.cluster.server import build, free_port, start

SECONDS = 180
"""Longest wait for a sync."""
_HOST = "127.0.0.1"
_REFRESH = "argocd.argoproj.io/refresh"


class ArgoCd(Installation):
    """Redis, the repository server and the application controller.

    ``namespace`` is that of its Applications. It is deleted with them at the end. ``settings`` is
    the content of the ConfigMap ``argocd-cm``. Logs and repositories are in ``folder``.
    """

    def __init__(
        self,
        namespace: str,
        environment: Mapping[str, str],
        folder: Path,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._namespace = namespace
        self._environment = environment
        self._folder = folder
        self._settings = dict(settings or {})
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        build("argocd")
        return super().__enter__()

    def _install(self) -> None:
        for kind in ("application", "appproject"):
            definition = str(Layout().share / f"argocd/{kind}-crd.yaml")
            self._kubectl("apply", "--server-side", "--filename", definition)
            self._kubectl("wait", "--for=condition=Established", "--filename", definition)
        self._kubectl("create", "namespace", self._namespace)
        self._apply(*self._objects())
        redis, repositories = (f"{_HOST}:{free_port(_HOST)}" for _ in range(2))
        self._start("argocd-redis", redis)
        self._start(
            "argocd-repo-server",
            *(f"--address={_HOST}", f"--port={repositories.rpartition(':')[2]}"),
            *(f"--metrics-address={_HOST}", f"--metrics-port={free_port(_HOST)}"),
            *(f"--redis={redis}", "--disable-tls"),
        )
        self._start(
            "argocd-application-controller",
            *(f"--namespace={self._namespace}", f"--metrics-port={free_port(_HOST)}"),
            *(f"--repo-server={repositories}", "--repo-server-plaintext", f"--redis={redis}"),
            *("--app-resync=10", "--persist-resource-health"),
        )

    def _remove(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._kubectl("delete", "namespace", self._namespace, "--ignore-not-found")
        # Another test may have an Argo CD too.
        if not self._kubectl("get", "applications", "--all-namespaces", "--output=name"):
            self._kubectl("delete", "crd", "applications.argoproj.io", "appprojects.argoproj.io")

    def apply(self, file: Path) -> None:
        """Create or update the Application in a file."""
        self._kubectl("apply", "--filename", str(file))

    def delete(self, file: Path) -> None:
        """Delete the Application in a file."""
        self._kubectl("delete", "--filename", str(file))

    def status(self, name: str) -> dict[str, Any]:
        """Status of an Application."""
        found = json.loads(self._kubectl("get", "application", name, "--output", "json"))
        return found.get("status", {})

    def refresh(self, name: str) -> None:
        """Let an Application read Git now, instead of within three minutes."""
        self._kubectl("annotate", "application", name, f"{_REFRESH}=normal", "--overwrite")

    def wait_for(self, name: str, revision: str) -> None:
        """Wait until a commit is synced and healthy."""
        self.refresh(name)
        wait_until(
            f"Argo CD to sync {revision}",
            lambda: self._is_synced(name, revision),
            seconds=SECONDS,
        )

    def differences(self, name: str) -> Sequence[str]:
        """Compare the cluster with Git again; return the objects that differ."""
        self._kubectl("annotate", "application", name, f"{_REFRESH}=hard", "--overwrite")
        wait_until("a comparison", lambda: not self._is_refreshing(name), SECONDS)
        return [
            f"{one['kind']}/{one['name']}"
            for one in self.status(name)["resources"]
            if one["status"] != "Synced"
        ]

    def healthy_kinds(self, name: str) -> set[str]:
        """Kinds whose objects are all healthy. A kind without a health check is not one of them."""
        health = [
            (one["kind"], one.get("health", {}).get("status"))
            for one in self.status(name)["resources"]
        ]
        others = {kind for kind, status in health if status != "Healthy"}
        return {kind for kind, _ in health} - others

    def _is_refreshing(self, name: str) -> bool:
        path = "jsonpath={.metadata.annotations}"
        return _REFRESH in self._kubectl("get", "application", name, "--output", path)

    def _is_synced(self, name: str, revision: str) -> bool:
        status = self.status(name)
        operation = status.get("operationState", {})
        return (
            status.get("sync", {}).get("status") == "Synced"
            and status["sync"]["revision"] == revision
            and status.get("health", {}).get("status") == "Healthy"
            and operation.get("phase") == "Succeeded"
        )

    def _objects(self) -> Sequence[dict[str, Any]]:
        labels = {"app.kubernetes.io/part-of": "argocd"}
        return (
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "argocd-cm", "labels": labels},
                "data": self._settings,
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "argocd-secret", "labels": labels},
                "stringData": {"server.secretkey": "unused"},
            },
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": "default"},
                "spec": {
                    "sourceRepos": ["*"],
                    "destinations": [{"server": "*", "namespace": "*"}],
                    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                },
            },
        )

    def _start(self, program: str, *arguments: str) -> None:
        process = start(
            program,
            *arguments,
            environment={
                **self._environment,
                # The cluster of KUBECONFIG is `in-cluster`.
                "ARGOCD_FAKE_IN_CLUSTER": "true",
                "ARGOCD_GPG_ENABLED": "false",
                "ARGOCD_ASK_PASS_SOCK": str(self._folder / "askpass.sock"),
                "TMPDIR": str(self._folder),
            },
            log=self._folder / f"{program}.log",
        )
        self._processes.append(process)

    def _apply(self, *objects: Mapping[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self._kubectl("apply", "--server-side", "--filename", "-", stdin=text)

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        options = (f"--namespace={self._namespace}", *arguments)
        return kubectl(*options, environment=self._environment, stdin=stdin)
