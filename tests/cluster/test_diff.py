"""``make diff`` lists the objects that ``kubectl diff`` lists for a cluster."""

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.diff.comparison import Comparison
from commands.diff.manifests import ObjectReference, read
from tests.unit.commands.diff.conftest import RELEASE
from tests.unit.commands.repository import Repository

SECONDS = 180
ATTEMPTS = 3
"""kubectl does not read an object and its dry run at once: the status may change in between."""
OBJECT_FILE = re.compile(
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


CHANGES: Mapping[str, tuple[Change, ...]] = {
    "changed and added objects": (
        image_version,
        canary_weight,
        autoscaler_bound,
        configuration_value,
        added_dashboard,
        new_key_with_a_default,
    ),
    "removed and renamed objects": (removed_component, renamed_object),
}
"""Changes of different objects."""


class Deployed:
    """A stack whose manifests are applied to the cluster, and its working tree."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.namespace = f"diff-{secrets.token_hex(3)}"
        self._environment = environment
        self._out = folder / "out"
        (folder / "repository").mkdir()
        self.repository = Repository(folder / "repository")
        self.repository.configure("dev", "release", **RELEASE)
        self.repository.configure("dev", "namespace", name=self.namespace)
        self.repository.configure("dev", "routing", hosts=[f"{self.namespace}.localhost"])
        # The servers have cluster-scoped objects, which other stacks on the cluster may have too.
        self.repository.configure("dev", "observability", mode="off")
        self.repository.drop("dev", "slo")
        self.commit = self.repository.commit()
        self.base = self.rendered("base")
        applied = self._kubectl("apply", "--server-side", f"--filename={self.base}")
        assert applied.returncode == 0, applied.stderr

    def _kubectl(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["kubectl", *arguments],
            env={**self._environment, **variables},
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
        """Render the manifests of the working tree and return their folder."""
        out = self._out / name
        self._python("render.py", "--stack", "dev", "--out", str(out))
        return out

    def compared(self, head: Path) -> list[dict[str, str]]:
        """Return the changes between the applied manifests and rendered ones."""
        return Comparison.of(read(self.base), read(head)).as_data()

    def kubectl_diff(self, head: Path, expected: set[ObjectReference]) -> set[ObjectReference]:
        """Return the objects that an apply would create or change, according to `kubectl diff`."""
        found = self._kubectl_diff(head)
        for _ in range(ATTEMPTS - 1):
            if found > expected:
                found &= self._kubectl_diff(head)
        return found

    def _kubectl_diff(self, head: Path) -> set[ObjectReference]:
        result = self._kubectl(
            *("diff", "--server-side", f"--filename={head}"), KUBECTL_EXTERNAL_DIFF="diff -qN"
        )
        assert result.returncode in (0, 1), result.stderr
        found = set()
        for line in result.stdout.splitlines():
            match = OBJECT_FILE.match(Path(line.split()[1]).name)
            assert match, line
            parts = {key: value or "" for key, value in match.groupdict().items()}
            found.add(ObjectReference(**parts))
        return found

    def undeclared(self, head: Path) -> set[ObjectReference]:
        """Return the live objects that the working tree no longer declares."""
        result = self._kubectl("get", f"--filename={self.base}", "--output=json")
        assert result.returncode == 0, result.stderr
        items: list[dict[str, Any]] = json.loads(result.stdout)["items"]
        live = {
            ObjectReference(
                item["apiVersion"].rpartition("/")[0],
                item["kind"],
                item["metadata"].get("namespace", ""),
                item["metadata"]["name"],
            )
            for item in items
        }
        return live - set(read(head))

    def delete(self) -> None:
        """Delete the namespace."""
        self._kubectl("delete", "namespace", self.namespace, "--wait=false")


def by_action(listed: list[dict[str, str]]) -> dict[str, set[ObjectReference]]:
    """Group the objects of a comparison by action."""
    found: dict[str, set[ObjectReference]] = {"added": set(), "removed": set(), "changed": set()}
    for one in listed:
        identity = {key: value for key, value in one.items() if key != "action"}
        found[one["action"]].add(ObjectReference(**identity))
    return found


@pytest.fixture(scope="module")
def deployed(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    stack = Deployed(tmp_path_factory.mktemp("diff"), cluster_environment)
    yield stack
    stack.delete()


@pytest.mark.parametrize("name", CHANGES)
def test_the_changed_objects_are_those_of_kubectl_diff(deployed: Deployed, name: str) -> None:
    deployed.repository.reset(deployed.commit)
    for change in CHANGES[name]:
        change(deployed.repository)
    head = deployed.rendered(name)
    listed = by_action(deployed.compared(head))
    expected = listed["added"] | listed["changed"]
    assert deployed.kubectl_diff(head, expected) == expected
    assert listed["removed"] == deployed.undeclared(head)
    assert any(listed.values())
