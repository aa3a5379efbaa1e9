"""``make secrets-provider``: changes what encrypts the secrets of a stack."""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from commands.errors import FAILED, CommandError, report_errors
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.stack_file import remove_encryption_salt
from commands.stack_lock import hold_lock
from local import files
from local.layout import Layout
from settings import load
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER, path_of

PASSPHRASE = "passphrase"  # noqa: S105  # the name of the provider
_KEY_SERVICES = ("awskms", "azurekeyvault", "gcpkms", "hashivault")
_ALLOWED = f"{PASSPHRASE}, {', '.join(f'{one}://…' for one in _KEY_SERVICES)}"


@dataclass(frozen=True)
class SecretsProvider:
    """Secrets provider of a stack file or of a state."""

    url: str
    """``passphrase``, ``default`` or the URL of a key."""
    key: str = ""
    """Salt of the passphrase, or data key that the key service has encrypted.

    Empty in a stack file without one: the one in the state is used.
    """

    def __str__(self) -> str:
        return "a passphrase" if self.url == PASSPHRASE else self.url

    @classmethod
    def of_file(cls, text: str) -> "SecretsProvider":
        """The provider that the text of a stack file names."""
        document = yaml.safe_load(text) or {}
        url = document.get("secretsprovider") or PASSPHRASE
        key = document.get("encryptionsalt" if url == PASSPHRASE else "encryptedkey")
        return cls(url, key or "")

    @classmethod
    def of_state(cls, deployment: Mapping[str, Any]) -> "SecretsProvider":
        """The provider of an exported deployment."""
        provider = deployment.get("secrets_providers") or {}
        state = provider.get("state") or {}
        match provider.get("type"):
            case "passphrase":
                return cls(PASSPHRASE, state.get("salt", ""))
            case "cloud":
                return cls(state.get("url", ""), state.get("encryptedkey", ""))
        return cls("default")

    def matches(self, state: "SecretsProvider") -> bool:
        """True if a stack file with this provider can be deployed to the state."""
        return self.url == state.url and self.key in ("", state.key)


class SecretsProviderChange:
    """A change of the secrets provider, which can be interrupted at any moment.

    Pulumi changes a copy of the stack file, then the state. The stack file is replaced by the copy
    when the state has changed: :meth:`complete` does so after an interruption.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._file = path_of(stack.name)
        self._copy = folder / self._file.name
        self._original = folder / "original.yaml"

    def complete(self) -> SecretsProvider | None:
        """Complete an interrupted change; return the new provider, or None if there was none.

        A change that has not reached the state is undone.
        """
        new = self._new_provider()
        is_changed = new is not None and new.matches(self._state())
        if is_changed:
            self._replace_stack_file()
        shutil.rmtree(self._folder, ignore_errors=True)
        return new if is_changed else None

    def run(self, provider: str, passphrase: str) -> SecretsProvider:
        """Change the provider; return the new one. ``passphrase`` is the new one."""
        files.private_folder(self._folder)
        shutil.copy2(PROJECT_FOLDER / "Pulumi.yaml", self._folder)
        files.write(self._original, self._file.read_bytes())
        files.write(self._copy, self._file.read_bytes())
        try:
            self._stack.change_secrets_provider(provider, self._folder, passphrase)
        except CommandError as error:
            self.complete()
            if "incorrect passphrase" in str(error):
                raise CommandError(
                    f"PULUMI_CONFIG_PASSPHRASE, or the file PULUMI_CONFIG_PASSPHRASE_FILE, is not "
                    f"the current passphrase of {self._stack.name}"
                ) from None
            raise
        if changed := self.complete():
            return changed
        raise CommandError(
            f"{self._stack.name} still uses {self._state()}: Pulumi has not changed the state",
            FAILED,
        )

    def _new_provider(self) -> SecretsProvider | None:
        """The provider of the copy. None if Pulumi has not changed the copy."""
        if not self._copy.exists() or files.same_content(self._copy, self._original):
            return None
        try:
            return SecretsProvider.of_file(self._copy.read_text())
        except yaml.YAMLError:
            return None  # Pulumi was killed while it wrote the file

    def _state(self) -> SecretsProvider:
        return SecretsProvider.of_state(self._stack.deployment() or {})

    def _replace_stack_file(self) -> None:
        text = self._file.read_text()
        if text not in (self._original.read_text(), self._copy.read_text()):
            raise CommandError(
                f"{self._file.name} was edited after a change of its secrets provider was "
                f"interrupted: copy the encrypted values, and the keys below config, of "
                f"{self._copy} to it, then remove {self._folder}",
                FAILED,
            )
        files.write(self._file, self._copy.read_bytes())
        remove_encryption_salt(self._stack.name)


def _check_provider(provider: str) -> None:
    scheme, _, rest = provider.partition("://")
    if provider != PASSPHRASE and not (scheme in _KEY_SERVICES and rest):
        raise CommandError(f"PROVIDER is {provider!r}: use one of {_ALLOWED}")


def _new_passphrase(provider: str, file: Path | None) -> str:
    """The passphrase in a file. Empty without a file."""
    if file is None:
        return ""
    if provider != PASSPHRASE:
        raise CommandError(f"PASSPHRASE_FILE={file} is for PROVIDER={PASSPHRASE} only")
    try:
        lines = file.read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"PASSPHRASE_FILE={file} cannot be read: {reason}") from None
    passphrase = lines[0].strip()
    if not passphrase or any(line.strip() for line in lines[1:]):
        raise CommandError(f"PASSPHRASE_FILE={file} must have one line, the new passphrase")
    return passphrase


def _environment(
    variables: Mapping[str, str], provider: str, current: SecretsProvider, file: Path | None
) -> Mapping[str, str]:
    """Environment variables of the CLI. ``file`` has the new passphrase."""
    if provider != PASSPHRASE:
        return variables
    if current.url == PASSPHRASE:
        if file is None:
            raise CommandError(
                "the secrets provider is a passphrase already: PASSPHRASE_FILE=file with the new "
                "passphrase changes it"
            )
        return variables
    if file is None:
        return variables
    others = {key: one for key, one in variables.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
    return {**others, "PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}


def _change(name: str, provider: str, file: Path | None) -> SecretsProvider:
    _check_provider(provider)
    file = file and file.expanduser().absolute()
    passphrase = _new_passphrase(provider, file)
    prerequisites = Prerequisites(load(name))
    variables = {**os.environ, **prerequisites.variables()}
    current = SecretsProvider.of_file(path_of(name).read_text())
    stack = Stack(name, _environment(variables, provider, current, file))
    prerequisites.prepare_cli()
    project = project_name()
    with hold_lock(f"{project}-{name}"):
        stack.repair_backend()
        if stack.deployment() is None:
            stack.select(repair=False)
        change = SecretsProviderChange(
            stack, Layout().root / "secrets-provider-changes" / project / name
        )
        completed = change.complete()
        if completed and completed.url == provider:
            print("completed the change that was interrupted")
            return completed
        return change.run(provider, passphrase)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Change the secrets provider; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.secrets_provider", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--provider", default="")
    parser.add_argument("--passphrase-file", type=Path)
    options = parser.parse_args(arguments)
    provider = _change(options.stack, options.provider, options.passphrase_file)
    file = path_of(options.stack).name
    print(f"{provider} encrypts the secrets in {file} and in the state from now on: commit {file}")
    if options.passphrase_file:
        print(
            f"set PULUMI_CONFIG_PASSPHRASE_FILE={options.passphrase_file.absolute()} for every "
            f"command on {options.stack}, and keep a copy of the file"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
