"""Changes of a stack's secrets provider by the real CLI, which need no Kubernetes node."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.project import Project
from tests.cluster.pulumi_cli import PulumiCli
from tests.cluster.vault import Vault

PROGRAM = """\
import pulumi
import pulumi_random

password = pulumi_random.RandomPassword("token", length=32)
pulumi.export("token", password.result)
pulumi.export("services", pulumi.Config("slipway").get_secret("services"))
"""
PATH = "slipway:services.beacon.secrets.key"
VALUE = "hunter2hunter2"


@pytest.fixture
def vault() -> Iterator[Mapping[str, str]]:
    with Vault() as server:
        server.write("transit/keys/shop")
        yield {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token}


class DeployedStack:
    """A copy of the project, deployed with a program that needs no cluster."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.state = folder / "state"
        (folder / "project").mkdir()
        self.project = Project.copy(folder / "project", "test-provider", environment)
        (self.project.folder / "__main__.py").write_text(PROGRAM)
        self.home = folder / "home"
        self.environment = {
            **environment,
            "PULUMI_HOME": str(self.home),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
        }
        for variable in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            self.environment.pop(variable, None)
        self.passphrases = [folder / "one", folder / "two"]
        for file in self.passphrases:
            file.write_text(f"passphrase {file.name}\n")
        self.first, self.second = (
            PulumiCli(environment, self.home, self.state, file.read_text().strip())
            for file in self.passphrases
        )
        self.run(self.first, "stack", "init")
        self.run(self.first, "config", "set", "--secret", "--path", PATH, VALUE)
        self.run(self.first, "up", "--yes", "--skip-preview")
        self.outputs = self.secrets(self.first)

    def run(self, cli: PulumiCli, *arguments: str) -> str:
        return cli.run(self.project.folder, *arguments, "--stack", self.project.stack)

    def secrets(self, cli: PulumiCli) -> tuple[str, str]:
        """The decrypted values of the state and of the stack file."""
        value = self.run(cli, "config", "get", "--path", PATH).strip()
        assert value == VALUE
        return self.run(cli, "stack", "output", "--json", "--show-secrets"), value

    def start(
        self, provider: str, *options: str, passphrase: Path, **variables: str
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "commands.secrets_provider"),
                *(f"--stack={self.project.stack}", f"--provider={provider}", *options),
            ],
            cwd=self.project.folder,
            env={
                **self.environment,
                "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def change(self, provider: str, *options: str, passphrase: Path, **variables: str) -> str:
        process = self.start(provider, *options, passphrase=passphrase, **variables)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return output

    @property
    def content(self) -> tuple[bytes, bytes]:
        """The stack file and the state."""
        checkpoint = self.state / f".pulumi/stacks/slipway/{self.project.stack}.json"
        return self.project.file.read_bytes(), checkpoint.read_bytes()


@pytest.fixture
def stack(cli_environment: Mapping[str, str], tmp_path: Path) -> DeployedStack:
    return DeployedStack(cli_environment, tmp_path)


def test_secrets_move_to_a_key_service_and_back(
    stack: DeployedStack, vault: Mapping[str, str]
) -> None:
    one, two = stack.passphrases
    shown = stack.change("hashivault://shop", passphrase=one, **vault)
    assert "hashivault://shop encrypts the secrets in Pulumi.test-provider.yaml" in shown
    # The passphrase is not used any more.
    cli = PulumiCli({**stack.environment, **vault}, stack.home, stack.state, "no")
    assert stack.secrets(cli) == stack.outputs
    stack.change("passphrase", f"--passphrase-file={two}", passphrase=one, **vault)
    assert stack.secrets(stack.second) == stack.outputs
    assert b"vault" not in b"".join(stack.content)
    stack.run(stack.second, "preview", "--expect-no-changes")


def test_a_passphrase_is_rotated_and_the_previous_one_is_refused(stack: DeployedStack) -> None:
    one, two = stack.passphrases
    stack.change("passphrase", f"--passphrase-file={two}", passphrase=one)
    assert stack.secrets(stack.second) == stack.outputs
    with pytest.raises(AssertionError, match="incorrect passphrase"):
        stack.secrets(stack.first)
    process = stack.start("passphrase", f"--passphrase-file={one}", passphrase=one)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "is not the current passphrase of test-provider" in output
    assert stack.secrets(stack.second) == stack.outputs


def test_a_rotation_that_is_killed_at_any_moment_is_completed_by_the_same_command(
    stack: DeployedStack,
) -> None:
    """Killed after 0.5 seconds, and each time 30 % later, until one run ends before."""
    current, new = stack.passphrases
    kills = 0
    while True:
        process = stack.start("passphrase", f"--passphrase-file={new}", passphrase=current)
        try:
            output, _ = process.communicate(timeout=0.5 * 1.3**kills)
            break
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert process.returncode == 0, output
    assert kills >= 3
    assert stack.secrets(stack.second) == stack.outputs
