"""Change of a stack's secrets provider, with a fake of Pulumi's command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from commands.errors import CommandError
from commands.pulumi import Stack
from commands.secrets_provider import SecretsProvider, SecretsProviderChange, main

OLD = """\
encryptionsalt: v1:old
config:
  slipway:services: # of the shop
    shop: {secrets: {token: {secure: old}}}
"""
NEW = OLD.replace("old", "new")
KMS = """\
config:
  slipway:services: # of the shop
    shop: {secrets: {token: {secure: new}}}
secretsprovider: awskms://alias/shop
encryptedkey: bmV3
"""


def passphrase(salt: str) -> dict[str, Any]:
    return {"secrets_providers": {"type": "passphrase", "state": {"salt": salt}}}


def key(url: str, encrypted: str) -> dict[str, Any]:
    state = {"url": url, "encryptedkey": encrypted}
    return {"secrets_providers": {"type": "cloud", "state": state}}


class Killed(BaseException):
    """The command is killed."""


class FakeStack:
    """Writes the stack file in two steps, then the state, as Pulumi does."""

    name = "dev"

    def __init__(self, deployment: dict[str, Any]) -> None:
        self.state = deployment
        self.given: tuple[str, str] | None = None
        self.after_step: Callable[[int], None] = lambda _: None

    def deployment(self) -> dict[str, Any]:
        return self.state

    def change_secrets_provider(self, provider: str, folder: Path, passphrase_: str) -> None:
        self.given = (provider, passphrase_)
        assert (folder / "Pulumi.yaml").exists()
        file = folder / "Pulumi.dev.yaml"
        self.after_step(0)
        text = NEW if provider == "passphrase" else KMS
        file.write_text(text.replace("secure: new", "secure: old"))
        self.after_step(1)
        file.write_text(text)
        self.after_step(2)
        self.state = passphrase("v1:new") if provider == "passphrase" else key(provider, "bmV3")
        self.after_step(3)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(OLD)
    return file


def change(stack: FakeStack, file: Path) -> SecretsProviderChange:
    return SecretsProviderChange(cast("Stack", stack), file.parent / "changes")


@pytest.mark.parametrize(("provider", "text"), [("passphrase", NEW), ("awskms://alias/shop", KMS)])
def test_stack_file_and_state_change_together(provider: str, text: str, file: Path) -> None:
    stack = FakeStack(passphrase("v1:old"))
    assert change(stack, file).run(provider, "two").url == provider
    assert file.read_text() == text
    assert SecretsProvider.of_file(text).matches(SecretsProvider.of_state(stack.state))
    assert stack.given == (provider, "two")
    assert not (file.parent / "changes").exists()


@pytest.mark.parametrize("step", range(4))
def test_a_change_that_is_killed_is_undone_or_completed_by_the_next(step: int, file: Path) -> None:
    stack = FakeStack(passphrase("v1:old"))

    def kill(at: int) -> None:
        if at == step:
            raise Killed

    stack.after_step = kill
    with pytest.raises(Killed):
        change(stack, file).run("passphrase", "two")
    assert file.read_text() == OLD
    completed = change(stack, file).complete()
    assert (completed is not None) is (step == 3)
    assert file.read_text() == (NEW if step == 3 else OLD)
    provider = SecretsProvider.of_file(file.read_text())
    assert provider.matches(SecretsProvider.of_state(stack.state))
    assert change(stack, file).complete() is None


def test_edits_after_an_interrupted_change_are_not_overwritten(file: Path) -> None:
    stack = FakeStack(passphrase("v1:old"))
    stack.after_step = lambda step: (_ for _ in ()).throw(Killed) if step == 3 else None
    with pytest.raises(Killed):
        change(stack, file).run("passphrase", "two")
    edited = OLD.replace("of the shop", "edited")
    file.write_text(edited)
    with pytest.raises(CommandError, match=r"Pulumi\.dev\.yaml was edited .*changes"):
        change(stack, file).complete()
    assert file.read_text() == edited
    assert (file.parent / "changes/Pulumi.dev.yaml").read_text() == NEW


def test_a_refused_passphrase_changes_nothing_and_names_the_variables(file: Path) -> None:
    stack = FakeStack(passphrase("v1:old"))

    def refuse(step: int) -> None:
        if step == 0:
            raise CommandError("pulumi stack of dev failed:\nerror: incorrect passphrase")

    stack.after_step = refuse
    with pytest.raises(CommandError, match="PULUMI_CONFIG_PASSPHRASE_FILE, is not the current"):
        change(stack, file).run("passphrase", "two")
    assert file.read_text() == OLD
    assert not (file.parent / "changes").exists()


def test_the_salt_of_a_file_without_secrets_stays_in_the_state(file: Path) -> None:
    file.write_text("config: {}\n")
    stack = FakeStack(passphrase("v1:old"))

    def write_no_secrets(step: int) -> None:
        if step == 3:
            text = "encryptionsalt: v1:new\nconfig: {}\n"
            (file.parent / "changes/Pulumi.dev.yaml").write_text(text)

    stack.after_step = write_no_secrets
    change(stack, file).run("passphrase", "two")
    assert file.read_text() == "config: {}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "PROVIDER is '': use one of passphrase, awskms://…"),
        (("--provider=aws",), "PROVIDER is 'aws': use one of"),
        (("--provider=awskms://",), "PROVIDER is 'awskms://': use one of"),
        (("--provider=vault://key",), "PROVIDER is 'vault://key': use one of"),
        (("--provider=awskms://a", "--passphrase-file={}"), "is for PROVIDER=passphrase only"),
        (("--provider=passphrase", "--passphrase-file={}/absent"), "cannot be read: Not a dir"),
        (("--provider=passphrase", "--passphrase-file={}"), "must have one line"),
    ],
)
def test_bad_input_is_refused_before_anything_is_changed(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new"
    file.write_text("hunter2\nhunter3\n")
    assert main(["--stack=dev", *(option.format(file) for option in options)]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "hunter" not in shown
