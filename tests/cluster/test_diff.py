"""``make diff`` finds exactly what ``kubectl diff`` finds against a running cluster."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.diff.comparison import Comparison
from commands.diff.objects import Identity, read
from tests.unit.commands.diff.conftest import RELEASE
from tests.unit.commands.repository import Repository

SECONDS = 180
LOOKS = 3
"""kubectl reads an object and its dry run one after the other: a status may move in between."""
FILE_OF_AN_OBJECT = re.compile(
    r"(?:(?P<group>[a-z0-9.-]+)\.)?v[0-9][a-z0-9]*\.(?P<kind>[A-Z]\w*)\.(?P<namespace>[^.]*)\.(?P<name>\S+)"
)

Change = Callable[[Repository], None]


def image_version(repository: Repository) -> None:
    repository.replace("Pulumi.dev.yaml", "version: 0.9.0", "version: 0.9.1")
    repository.replace("Pulumi.dev.yaml", f"sha256:{'b' * 64}", f"sha256:{'c' * 64}")


def canary_weight(repository: Repository) -> None:
    repository.replace("Pulumi.dev.yaml", "weight: 10", "weight: 25")


def new_key_with_a_default(repository: Repository) -> None:
    key = '    proxy_namespace: DnsLabel = "ingress"\n'
    repository.replace("settings/network.py", key, f'{key}    added: bool = True\n    """New."""\n')
    repository.configure("dev", "network", added=True)


def removed_component(repository: Repository) -> None:
    repository.configure("dev", "release", strategy="rolling", canary=None)


def renamed_object(repository: Repository) -> None:
    repository.replace("components/namespace.py", '"name": "quota"', '"name": "allowance"')


def autoscaler_bound(repository: Repository) -> None:
    repository.configure("dev", "autoscaling", maxReplicas=9)


def configuration_value(repository: Repository) -> None:
    repository.configure("dev", "config", message="Good morning")


def added_dashboard(repository: Repository) -> None:
    repository.append(
        "__main__.py",
        "\nfrom pulumi_kubernetes.core.v1 import ConfigMap\n\n"
        'ConfigMap("dashboard", data={"red.json": "{}"}, metadata='
        '{"name": "added-dashboard", "namespace": settings.namespace.name})\n',
    )


CHANGES: tuple[Change, ...] = (
    image_version,
    canary_weight,
    new_key_with_a_default,
    removed_component,
    renamed_object,
    autoscaler_bound,
    configuration_value,
    added_dashboard,
)


class Deployed:
    """A stack whose manifests the cluster has, and a working tree that a test changes."""

    def __init__(self, folder: Path, ground: Mapping[str, str]) -> None:
        self.namespace = f"diff-{secrets.token_hex(3)}"
        self._ground = {**os.environ, **ground}
        self._out = folder / "out"
        (folder / "repository").mkdir()
        self.repository = Repository(folder / "repository")
        self.repository.configure("dev", "release", **RELEASE)
        self.repository.configure("dev", "namespace", name=self.namespace)
        self.repository.configure("dev", "routing", host=f"{self.namespace}.localhost")
        # Servers have objects of the whole cluster, which other stacks on it may have too.
        self.repository.configure("dev", "observability", mode="off")
        self.repository.drop("dev", "slo")
        self.commit = self.repository.commit()
        self.base = self.rendered("base")
        applied = self._kubectl("apply", "--server-side", f"--filename={self.base}")
        assert applied.returncode == 0, applied.stderr

    def _kubectl(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["kubectl", *arguments],
            env={**self._ground, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def _python(self, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.repository.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def rendered(self, name: str) -> Path:
        """The folder of the working tree's manifests."""
        out = self._out / name
        self._python("render.py", "--stack", "dev", "--out", str(out))
        return out

    def command(self) -> list[dict[str, str]]:
        """What `make diff` lists."""
        return json.loads(self._python("-m", "commands.diff", "--stack", "dev", "--format", "json"))

    def ours(self, head: Path) -> list[dict[str, str]]:
        """What it lists for a working tree that is rendered already."""
        return Comparison.of(read(self.base), read(head)).listed()

    def theirs(self, head: Path) -> set[Identity]:
        """What `kubectl diff` says an apply would make or change."""
        looks = [self._look(head) for _ in range(LOOKS)]
        return set.intersection(*looks)

    def _look(self, head: Path) -> set[Identity]:
        result = self._kubectl(
            *("diff", "--server-side", f"--filename={head}"), KUBECTL_EXTERNAL_DIFF="diff -qN"
        )
        assert result.returncode in (0, 1), result.stderr
        found = set()
        for line in result.stdout.splitlines():
            match = FILE_OF_AN_OBJECT.match(Path(line.split()[1]).name)
            assert match, line
            parts = {key: value or "" for key, value in match.groupdict().items()}
            found.add(Identity(**parts))
        return found

    def undeclared(self, head: Path) -> set[Identity]:
        """What the cluster has of the base, and the working tree no longer declares."""
        result = self._kubectl("get", f"--filename={self.base}", "--output=json")
        assert result.returncode == 0, result.stderr
        items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
        live = {
            Identity(
                item["apiVersion"].rpartition("/")[0],
                item["kind"],
                item["metadata"].get("namespace", ""),
                item["metadata"]["name"],
            )
            for item in items
        }
        return live - set(read(head))

    def delete(self) -> None:
        """Take it off the cluster."""
        self._kubectl("delete", "namespace", self.namespace, "--wait=false")


def by_action(listed: list[dict[str, str]]) -> dict[str, set[Identity]]:
    """The objects that a comparison lists."""
    found: dict[str, set[Identity]] = {"added": set(), "removed": set(), "changed": set()}
    for one in listed:
        identity = {key: value for key, value in one.items() if key != "action"}
        found[one["action"]].add(Identity(**identity))
    return found


@pytest.fixture(scope="module")
def deployed(
    ground: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """The stack, deleted at the end."""
    stack = Deployed(tmp_path_factory.mktemp("diff"), ground)
    yield stack
    stack.delete()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_objects_are_those_that_kubectl_finds(deployed: Deployed, change: Change) -> None:
    deployed.repository.reset(deployed.commit)
    change(deployed.repository)
    head = deployed.rendered(change.__name__)
    ours = by_action(deployed.ours(head))
    assert ours["added"] | ours["changed"] == deployed.theirs(head)
    assert ours["removed"] == deployed.undeclared(head)
    assert any(ours.values()) == (change is not new_key_with_a_default)


def test_nothing_is_found_where_nothing_changed(deployed: Deployed) -> None:
    deployed.repository.reset(deployed.commit)
    assert deployed.command() == []
    assert deployed.theirs(deployed.base) == set()


def test_the_command_lists_the_same(deployed: Deployed) -> None:
    deployed.repository.reset(deployed.commit)
    removed_component(deployed.repository)
    listed = deployed.command()
    assert listed
    assert listed == deployed.ours(deployed.rendered("command"))
