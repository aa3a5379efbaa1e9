"""A copy of the checkout with a stack of its own, so that a test changes nothing of the user's."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

CHECKOUT = Path(__file__).resolve().parents[2]
ENTRY_POINT = "http://127.0.0.1:8080"
COMMAND_SECONDS = 420

ADDED = ("replicas", "clusterIP", "clusterIPs")
"""What an autoscaler owns, and the addresses that a cluster gives."""
SHARED = ("local", "components", ".venv")
"""What a copy has by a link: nothing in it is edited, and what is compiled there stays so."""


def wait_until(
    what: str, condition: Callable[[], bool], seconds: float, interval: float = 1
) -> None:
    """Wait for ``condition``; fail saying ``what`` did not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(interval)


def read_until(text: str, process: "subprocess.Popen[str]") -> str:
    """What ``process`` prints up to a line with ``text``; fails where it ends without one."""
    assert process.stdout
    printed = ""
    for line in process.stdout:
        printed += line
        if text in line:
            return printed
    raise AssertionError(f"ended without {text!r}:\n{printed}")


def changes(output: str) -> dict[str, int]:
    """The counts under Pulumi's ``Resources:``, by what happened: created, updated, unchanged…"""
    summary = output.partition("Resources:")[2].partition("Duration")[0]
    counts = {verb: int(count) for count, verb in re.findall(r"(\d+) (\w+)", summary)}
    counts.pop("changes", None)
    return counts


def _files_of(checkout: Path) -> list[str]:
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
        """Copy the checkout as it stands, edits included, to ``folder``."""
        for name in _files_of(CHECKOUT):
            if name.startswith(tuple(f"{shared}/" for shared in SHARED)):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)
        for shared in SHARED:
            (folder / shared).symlink_to(CHECKOUT / shared)
        shutil.copy2(folder / "Pulumi.dev.yaml", folder / f"Pulumi.{stack}.yaml")
        project = cls(folder, stack, environment)
        with project.config() as config:
            config["slipway:namespace"]["name"] = stack
            config["slipway:routing"]["host"] = f"{stack}.localhost"
            # What another run has published under a version is not what this one means by it.
            config["slipway:image"]["repository"] = f"slipway/{stack}"
            # Only the tests of observability have servers of their own.
            config.pop("slipway:slo", None)
            config["slipway:observability"] = {"mode": "off"}
            # Small, so that the tests' pods fit on a small node beside everything else.
            config.setdefault("slipway:workload", {})["resources"] = {
                "requests": {"cpu": "50m", "memory": "32Mi"}
            }
        return project

    @property
    def host(self) -> str:
        """The name by which the stack's service is asked for."""
        return f"{self.stack}.localhost"

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def config(self) -> "_Edit":
        """Change the stack's configuration: ``with project.config() as config: …``."""
        return _Edit(self.file)

    def run(
        self, *arguments: str, seconds: float = COMMAND_SECONDS
    ) -> "subprocess.CompletedProcess[str]":
        """Run any command in the project; its output is kept, its exit code is the caller's."""
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
        """Run a Makefile target on the stack and expect it to succeed."""
        result = self.run("make", "--silent", target, f"STACK={self.stack}", *variables)
        assert result.returncode == 0, f"make {target}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, target: str, output: int) -> "subprocess.Popen[str]":
        """Begin a Makefile target in a process group of its own, which a signal reaches as one."""
        return subprocess.Popen(
            ["make", "--silent", target, f"STACK={self.stack}"],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def fails(self, target: str, *variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a Makefile target on the stack and expect a failure without a traceback."""
        result = self.run("make", "--silent", target, f"STACK={self.stack}", *variables)
        text = result.stdout + result.stderr
        assert result.returncode != 0, f"make {target} succeeded\n{text}"
        assert "Traceback" not in text, text
        return result

    def pulumi_up(self) -> "subprocess.CompletedProcess[str]":
        """Plain `pulumi up`, which does not mend the ground first as `make up` does."""
        return self.run(
            *("pulumi", "up", "--yes", "--skip-preview", "--non-interactive"),
            *("--stack", self.stack),
        )

    def edit_source(self, line: str) -> None:
        """Add a line to the service's source: a comment is enough to make it new."""
        main = self.folder / "app" / "main.go"
        main.write_text(f"{main.read_text()}\n{line}\n")

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints for the stack's namespace."""
        result = self.run("kubectl", "--namespace", self.stack, *arguments, seconds=60)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def declared(self) -> dict[str, object]:
        """What is specified of all that runs, by kind and name, less what the cluster adds."""
        kinds = "deployments,services,ingresses,configmaps,hpa,pdb,networkpolicies,serviceaccounts"
        items = json.loads(self.kubectl("get", kinds, "--output", "json"))["items"]
        return {
            f"{item['kind']}/{item['metadata']['name']}": item.get("data")
            or {key: value for key, value in item.get("spec", {}).items() if key not in ADDED}
            for item in items
            if item["metadata"]["name"] not in ("default", "kube-root-ca.crt")
        }

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        """Ask the service through the ingress."""
        return httpx.get(f"{ENTRY_POINT}{path}", headers={"Host": self.host, **headers}, timeout=10)


class _Edit:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._yaml = YAML()
        self._yaml.width = 4096

    def __enter__(self) -> Any:
        self._document = self._yaml.load(self._file.read_text())
        return self._document["config"]

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            with self._file.open("w") as out:
                self._yaml.dump(self._document, out)
