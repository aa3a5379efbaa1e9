"""A copy of the checkout with its own stack: tests do not change the checkout or its stacks."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from settings import RoutingBackend

CHECKOUT = Path(__file__).resolve().parents[2]
INGRESS_URL = "http://127.0.0.1:8080"
NODE_BACKENDS: tuple[RoutingBackend, ...] = ("ingress", "gateway")
"""Back ends that the node serves. ``test_mesh.py`` starts Istio."""
COMMAND_SECONDS = 420
IS_SLOW = bool(os.environ.get("SLOW"))
"""True with ``SLOW=1``: the tests that need minutes run too, and others on every back end."""
needs_slow = pytest.mark.skipif(not IS_SLOW, reason="runs with SLOW=1")

RECORDS = "slipway/release-records"
"""Label of the ConfigMaps with the times of the releases."""
CLUSTER_FIELDS = ("replicas", "clusterIP", "clusterIPs")
"""Fields of a spec that the autoscaler and the cluster set."""
LINKED = ("local", "components", ".venv")
"""Folders that a copy has as symbolic links, because tests do not edit them."""


def wait_until(
    description: str, condition: Callable[[], bool], seconds: float, interval: float = 1
) -> None:
    """Wait until ``condition`` is true. Raises AssertionError with the description on timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {description}")
        time.sleep(interval)


def read_until(text: str, process: "subprocess.Popen[str]") -> str:
    """Return the output of ``process`` up to a line with ``text``, or fail if there is none."""
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if text in line:
            return printed
    raise AssertionError(f"the process exited without {text!r}:\n{printed}")


def changes(output: str) -> dict[str, int]:
    """Return the counts of Pulumi's ``Resources:`` summary: created, updated, unchanged…

    The summary of a refresh before an update is skipped.
    """
    update = output.partition("Updating (")[2] or output
    summary = update.partition("Resources:")[2].partition("Duration")[0]
    counts = {verb: int(count) for count, verb in re.findall(r"(\d+) (\w+)", summary)}
    counts.pop("changes", None)
    return counts


def _source_files(checkout: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (checkout / name).is_file()]


@dataclass
class Project:
    """The program in ``folder``, deployed as ``stack`` into a namespace of the same name."""

    folder: Path
    stack: str
    environment: Mapping[str, str]
    process: "subprocess.Popen[str] | None" = field(default=None, init=False)

    @classmethod
    def copy(cls, folder: Path, stack: str, environment: Mapping[str, str]) -> "Project":
        """Copy the checkout, with its uncommitted changes, to ``folder``."""
        for name in _source_files(CHECKOUT):
            if name.startswith(tuple(f"{linked}/" for linked in LINKED)):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
        for linked in LINKED:
            (folder / linked).symlink_to(CHECKOUT / linked)
        shutil.copy2(folder / "Pulumi.dev.yaml", folder / f"Pulumi.{stack}.yaml")
        project = cls(folder, stack, environment)
        with project.config() as config:
            config["slipway:namespace"]["name"] = stack
            config["slipway:observability"] = {"mode": "off"}
        with project.service() as service:
            # Published versions are immutable: another run may have published other source.
            service["image"] = {"repository": f"slipway/{stack}"}
            service["routing"]["hosts"] = [f"{stack}.localhost"]
            # The stacks of all tests must fit on a node with two cores.
            service.setdefault("workload", {})["resources"] = {
                "requests": {"cpu": "50m", "memory": "32Mi"}
            }
            # Only the observability tests deploy servers.
            service.pop("slo", None)
        return project

    @property
    def host(self) -> str:
        """Host name of the service."""
        return f"{self.stack}.localhost"

    @property
    def file(self) -> Path:
        """Stack file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @contextmanager
    def config(self) -> Iterator[Any]:
        """Edit the stack's configuration: ``with project.config() as config: …``."""
        yaml = YAML()
        yaml.width = 4096
        document = yaml.load(self.file.read_text())
        yield document["config"]
        with self.file.open("w") as out:
            yaml.dump(document, out)

    @contextmanager
    def service(self) -> Iterator[Any]:
        """Edit the only service of the stack: ``with project.service() as service: …``."""
        with self.config() as config:
            (service,) = config["slipway:services"].values()
            yield service

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace text in a file, which is restored at the end of the block."""
        file = self.folder / path
        original = file.read_text()
        assert old in original, f"{old!r} is not in {path}"
        file.write_text(original.replace(old, new, 1))
        try:
            yield
        finally:
            file.write_text(original)

    @contextmanager
    def restored_config(self) -> Iterator[None]:
        """Restore the stack file at the end of the block."""
        original = self.file.read_text()
        try:
            yield
        finally:
            self.file.write_text(original)

    def run(
        self, *arguments: str, seconds: float = COMMAND_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in the project and capture its output, whatever its exit code."""
        return subprocess.run(
            arguments,
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def make(self, target: str, *variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a make target on the stack, which must succeed."""
        result = self.run("make", "--silent", target, f"STACK={self.stack}", *variables)
        assert result.returncode == 0, f"make {target}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, target: str, *variables: str, output: int) -> "subprocess.Popen[str]":
        """Start a make target on the stack in a new process group."""
        return subprocess.Popen(
            ["make", "--silent", target, f"STACK={self.stack}", *variables],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make_fails(self, target: str, *variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a make target on the stack, which must fail without a traceback."""
        result = self.run("make", "--silent", target, f"STACK={self.stack}", *variables)
        text = result.stdout + result.stderr
        assert result.returncode != 0, f"make {target} succeeded\n{text}"
        assert "Traceback" not in text, text
        return result

    def pulumi_up(self) -> "subprocess.CompletedProcess[str]":
        """Run `pulumi up`, which unlike `make up` does not start what is stopped."""
        return self.run(
            *("pulumi", "up", "--yes", "--skip-preview", "--non-interactive"),
            *("--stack", self.stack),
        )

    def assert_unchanged(self) -> None:
        """Assert that `make up` changes no resource."""
        output = self.make("up").stdout
        assert set(changes(output)) == {"unchanged"}, output

    def assert_no_drift(self) -> None:
        """Assert that `pulumi refresh` finds no difference."""
        result = self.run(
            *("pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive"),
            *("--stack", self.stack, "--expect-no-changes"),
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def assert_pod_security(self, namespace: str) -> None:
        """Assert that the pods of a namespace comply with its Pod Security standard."""
        result = self.run(
            *("kubectl", "label", "namespace", namespace, "--dry-run=server", "--overwrite"),
            "pod-security.kubernetes.io/enforce-version=latest",
        )
        assert result.returncode == 0, result.stderr
        assert "Warning" not in result.stderr, result.stderr

    def remove_stack(self) -> None:
        """Remove the stack from the backend, even if it has resources."""
        self.run("pulumi", "stack", "rm", "--yes", "--force", "--stack", self.stack)

    def edit_source(self, line: str) -> None:
        """Append a line to main.go, which makes the image a new one."""
        main = self.folder / "app" / "main.go"
        main.write_text(f"{main.read_text()}\n{line}\n")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the stack's namespace and return its output."""
        result = self.run("kubectl", "--namespace", self.stack, *arguments, seconds=60)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def specs(self) -> dict[str, object]:
        """Return the specs of the live objects by kind and name, without CLUSTER_FIELDS."""
        kinds = "deployments,services,ingresses,configmaps,hpa,pdb,networkpolicies,serviceaccounts"
        items = json.loads(self.kubectl("get", kinds, "--output", "json"))["items"]
        return {
            f"{item['kind']}/{item['metadata']['name']}": item.get("data")
            or {
                key: value
                for key, value in item.get("spec", {}).items()
                if key not in CLUSTER_FIELDS
            }
            for item in items
            if item["metadata"]["name"] not in ("default", "kube-root-ca.crt")
            and RECORDS not in item["metadata"].get("labels", {})
        }

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        """Send a GET request to the service through the ingress."""
        return httpx.get(f"{INGRESS_URL}{path}", headers={"Host": self.host, **headers}, timeout=10)
