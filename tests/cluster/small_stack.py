"""A stack of a few Kubernetes objects, to see what a plugin makes of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plugins.install import install
from tests.cluster.project import CHECKOUT

SECONDS = 120
"""For one command; more than any of them takes."""

# Without the typed SDK, whose import takes longer than all the rest.
PROGRAM = """\
import json
from pathlib import Path

import pulumi


def value(given):
    if isinstance(given, dict) and given.keys() == {"secret"}:
        return pulumi.Output.secret(given["secret"])
    if isinstance(given, dict) and given.keys() == {"id of"}:
        return made[given["id of"]].id
    if isinstance(given, dict):
        return {key: value(item) for key, item in given.items()}
    if isinstance(given, list):
        return [value(item) for item in given]
    return given


document = json.loads(Path("stack.json").read_text())
provider = None
if document["provider"] is not None:
    provider = pulumi.ProviderResource("kubernetes", "cluster", document["provider"])
made = {}
for name, item in document["resources"].items():
    options = item["options"]
    if "depends_on" in options:
        options["depends_on"] = [made[other] for other in options["depends_on"]]
    if "aliases" in options:
        options["aliases"] = [pulumi.Alias(**alias) for alias in options["aliases"]]
    if "custom_timeouts" in options:
        options["custom_timeouts"] = pulumi.CustomTimeouts(**options["custom_timeouts"])
    version = item["object"]["apiVersion"]
    group = version if "/" in version else f"core/{version}"
    made[name] = pulumi.CustomResource(
        f"kubernetes:{group}:{item['object']['kind']}",
        name,
        value(item["object"]),
        pulumi.ResourceOptions(provider=provider, **options),
    )
"""


@dataclass
class Result:
    """What a command of the CLI did."""

    code: int
    text: str

    @property
    def ok(self) -> "Result":
        """The same, if the command succeeded."""
        assert self.code == 0, self.text
        return self

    @property
    def failed(self) -> "Result":
        """The same, if the command failed with something to read."""
        assert self.code != 0, self.text
        assert "Traceback" not in self.text, self.text
        return self

    def unchanged(self) -> bool:
        """Whether nothing was, or would be, done to any resource."""
        summary = self.text.partition("Resources:")[2]
        done = ("create", "update", "replace", "delete", "errored")
        return "unchanged" in summary and not any(word in summary for word in done)


@dataclass
class SmallStack:
    """The stack; `resources` is what the program declares, by name."""

    folder: Path
    environment: Mapping[str, str]
    resources: dict[str, Any] = field(default_factory=dict)
    provider: dict[str, Any] | None = None
    name: str = "dev"

    def __post_init__(self) -> None:
        runtime = {"name": "python", "options": {"virtualenv": str(CHECKOUT / ".venv")}}
        project = {"name": "small", "runtime": runtime}
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        (self.folder / "__main__.py").write_text(PROGRAM)
        state = self.folder / "state"
        state.mkdir()
        # A home of its own, since the shared one leads to the checkout that was last brought up.
        home = self.folder / "pulumi"
        install(home / "plugins", Path(sys.executable))
        self.environment = {
            **os.environ,
            **self.environment,
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "test",
        }
        _ = self.run("stack", "init", self.name).ok

    def declare(self, name: str, kind: str, fields: dict[str, Any], **options: Any) -> None:
        """Declare an object, named `metadata.name` in its fields, as resource `name`."""
        api_version, _, kind = kind.rpartition("/")
        declared = {"apiVersion": api_version, "kind": kind, **fields}
        self.resources[name] = {"object": declared, "options": options}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command of the CLI, in a process group of its own."""
        document = {"resources": self.resources, "provider": self.provider}
        (self.folder / "stack.json").write_text(json.dumps(document))
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> Result:
        """Run a command of the CLI."""
        return self.finish(self.start(*arguments))

    def finish(self, process: "subprocess.Popen[str]") -> Result:
        """Wait for a started command."""
        try:
            text, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            raise AssertionError(f"still running after {SECONDS} s:\n{text}") from None
        return Result(process.returncode, text)

    def up(self, *arguments: str) -> Result:
        """Run `pulumi up`."""
        return self.run("up", "--yes", "--skip-preview", *arguments)

    def preview(self) -> Result:
        """Run `pulumi preview` and show every changed property."""
        return self.run("preview", "--diff")

    def refresh(self) -> Result:
        """Run `pulumi refresh`."""
        return self.run("refresh", "--yes", "--skip-preview", "--diff")

    def destroy(self) -> Result:
        """Run `pulumi destroy`."""
        return self.run("destroy", "--yes", "--skip-preview")

    def state(self, name: str) -> dict[str, Any]:
        """What the state holds of a resource."""
        exported = json.loads(self.run("stack", "export").ok.text)
        resources = exported["deployment"]["resources"]
        return next(item for item in resources if item["urn"].endswith(f"::{name}"))

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """A live object."""
        found = self.kubectl(
            *("get", kind, name, "--namespace", namespace),
            *("--ignore-not-found", "--show-managed-fields", "--output", "json"),
        )
        return json.loads(found) if found else None
