"""A fleet whose stacks have a state and a cluster, and commands that a script stands for."""

import json
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands.fleet import stack_job
from commands.fleet.__main__ import main
from settings.project import project_name

FAKES = Path(__file__).parent
STACKS = ("east1", "east2", "north1", "north2")
STACK_FILE = """\
config:
  slipway:cluster: {{context: {stack}}}
  slipway:namespace: {{name: shop}}
  slipway:registry: {{host: registry.example.com}}
  slipway:observability: {{mode: "off"}}
  slipway:services:
    shop:
      source: .
      release: {{stable: {{version: 1.0.0, digest: "sha256:{digest}"}}}}
      routing: {{hosts: [shop.example.com]}}
"""
WAVES = """\
prod:
  regions: {east: [east1, east2], north: [north1, north2]}
  waves:
    - {name: first, stacks: [east1]}
    - {name: others, regions: [east, north]}
"""


@dataclass(frozen=True)
class FakeFleet:
    """Files of the fleet in ``root``."""

    root: Path

    def write(self, fleet: str) -> None:
        (self.root / "fleet.yaml").write_text(fleet)

    def add(self, stack: str) -> None:
        """Add a stack that runs version 1.0.0 in a cluster of its own."""
        text = STACK_FILE.format(stack=stack, digest="a" * 64)
        (self.root / f"Pulumi.{stack}.yaml").write_text(text)
        write_state(self.checkpoint(stack), uid=stack)
        cluster = self.root / "clusters" / stack
        cluster.mkdir(parents=True)
        (cluster / "uid").write_text(stack)

    def programs(self) -> Path:
        """Write the programs that stand for others; return their folder, for ``PATH``."""
        folder = self.root / "bin"
        folder.mkdir()
        kubectl = (str(FAKES / "fake_kubectl.sh"), str(self.root), sys.executable)
        # The first argument of the other script is a module.
        pulumi = (*fake_python(self.root), "commands")
        for name, command in (("kubectl", kubectl), ("pulumi", pulumi)):
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            program.chmod(0o755)
        return folder

    def behave(self, **stacks: Mapping[str, Any]) -> None:
        """Set what the commands of stacks do; the others succeed at once."""
        (self.root / "behavior.json").write_text(json.dumps(stacks))

    def declare(self, version: str, *stacks: str) -> None:
        """Set the version in the stack files."""
        for stack in stacks or STACKS:
            file = self.root / f"Pulumi.{stack}.yaml"
            old = self.declared(stack)
            file.write_text(file.read_text().replace(f"version: {old}", f"version: {version}"))

    def declared(self, stack: str) -> str:
        text = (self.root / f"Pulumi.{stack}.yaml").read_text()
        return text.partition("version: ")[2].partition(",")[0]

    def checkpoint(self, stack: str) -> Path:
        folder = self.root / "state" / ".pulumi" / "stacks" / project_name()
        return folder / f"{stack}.json"

    def deployed(self) -> dict[str, str]:
        """Version of each stack in the last update, also in a failed one."""
        states = {one: json.loads(self.checkpoint(one).read_text()) for one in STACKS}
        return {
            stack: state["checkpoint"]["latest"]["resources"][0]["outputs"]["services"]["shop"][
                "stable"
            ]["version"]
            for stack, state in states.items()
        }

    def events(self) -> list[dict[str, Any]]:
        """Events of the commands since the last call."""
        file = self.root / "events.jsonl"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in found]

    def started(self, command: str = "up") -> list[str]:
        """Stacks whose command was started since the last call, in order."""
        found = self.events()
        return [
            one["stack"] for one in found if one["event"] == "start" and one["command"] == command
        ]

    def run(self, *arguments: str) -> int:
        """Run a command of the fleet; return its exit code."""
        command, *options = arguments
        return main([command, "--fleet=prod", *options])

    def script(self, *arguments: str) -> Sequence[str]:
        """Command that does the same in another process."""
        text = (
            "import sys; from pathlib import Path\n"
            f"sys.path.insert(0, {str(Path(__file__).parents[4])!r})\n"
            "import settings.stack_file as files\n"
            f"files.PROJECT_FOLDER = Path({str(self.root)!r})\n"
            "from commands.fleet import stack_job\n"
            "from commands.prerequisites import Prerequisites\n"
            "Prerequisites.prepare_cli = lambda self: None\n"
            f"stack_job.PYTHON = {fake_python(self.root)!r}\n"
            "from commands.fleet.__main__ import main\n"
            f"sys.exit(main({[arguments[0], '--fleet=prod', *arguments[1:]]!r}))\n"
        )
        return [sys.executable, "-c", text]


def fake_python(root: Path) -> tuple[str, ...]:
    return (sys.executable, "-S", str(FAKES / "fake_command.py"), str(root))


@pytest.fixture
def fleet(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeFleet]:
    """Four stacks in two waves, which run version 1.0.0."""
    made = FakeFleet(tmp_path)
    made.write(WAVES)
    made.behave()
    for stack in STACKS:
        made.add(stack)
    monkeypatch.setenv("PATH", f"{made.programs()}:/usr/bin:/bin")
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("h")))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("commands.prerequisites.Prerequisites.prepare_cli", lambda _: None)
    monkeypatch.setattr(stack_job, "PYTHON", fake_python(tmp_path))
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, handler)


def write_state(checkpoint: Path, uid: str) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    services = {"shop": {"stable": {"version": "1.0.0", "image": f"shop@sha256:{'a' * 64}"}}}
    resources = [
        {"type": "pulumi:pulumi:Stack", "urn": "stack", "outputs": {"services": services}},
        {
            "type": "kubernetes:core/v1:Namespace",
            "urn": "namespace",
            "id": "shop",
            "outputs": {"metadata": {"uid": uid}},
        },
    ]
    latest = {"manifest": {"time": "0"}, "resources": resources}
    state = {"version": 3, "checkpoint": {"latest": latest}}
    checkpoint.write_text(json.dumps(state))
    history = checkpoint.parents[2] / "history" / project_name() / checkpoint.stem
    history.mkdir(parents=True)
    release = {"stable": {"version": "1.0.0"}}
    update = {
        "kind": "update",
        "result": "succeeded",
        "startTime": 1,
        "endTime": 1,
        "config": {"slipway:services": {"shop": {"release": release}}},
    }
    (history / f"{checkpoint.stem}-1.history.json").write_text(json.dumps(update))
