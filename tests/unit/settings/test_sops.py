"""Secrets in files that sops encrypts, with a fake of the program."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from settings.sops_secrets import decrypt, set_values, sops_errors, uses_sops
from tests.unit.stacks import settings

FILE = "secrets.dev.yaml"
AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ENCRYPTED = {
    "database": {"password": "ENC[AES256_GCM,data:aaaa,type:str]", "port": "ENC[a,type:int]"},
    "empty": "ENC[AES256_GCM,data:,type:str]",
    "plain": "hunter2hunter2",
    "list": ["ENC[AES256_GCM,data:aaaa,type:str]"],
    "sops": {"age": [{"recipient": AGE, "enc": "-"}], "mac": "ENC[-]"},
}
DECRYPTED = {"database": {"password": "hunter2hunter2", "port": 5432}, "empty": ""}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    (tmp_path / FILE).write_text(json.dumps(ENCRYPTED))
    return tmp_path


def source(key: str, file: str = FILE) -> dict[str, Any]:
    return {"token": {"sops": {"file": file, "key": key}}}


def sops(folder: Path, script: str) -> dict[str, str]:
    """The environment of a program that runs this script; it counts its starts."""
    program = folder / "bin/sops"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho run >> {folder}/runs\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        (source("database.password"), None),
        (source("a", "secrets.prod.yaml"), 'sops.file is "secrets.prod.yaml": use an existing'),
        (source("a", "plain.yaml"), 'sops.file is "plain.yaml": use a file that sops has enc'),
        (source("a", "broken.yaml"), 'sops.file is "broken.yaml": use a readable YAML or JSON'),
        (source("plain"), f"use a value that sops encrypts: in {FILE} it is plain text"),
        (source("database"), "use a key of a value in secrets.dev.yaml: database.password, data"),
        (source("list"), 'sops.key is "list": use a key of a value'),
        (source("database.user"), 'sops.key is "database.user": use a key of a value'),
        (source("sops.mac"), 'sops.key is "sops.mac": use a key of a value'),
    ],
)
def test_a_file_or_value_that_is_missing_or_plain_is_refused_without_a_key(
    secrets: dict[str, Any], message: str | None, folder: Path
) -> None:
    (folder / "plain.yaml").write_text("a: hunter2hunter2\n")
    (folder / "broken.yaml").write_text("hunter2hunter2: [\n")
    found = list(sops_errors(settings(secrets=secrets)))
    assert len(found) == (1 if message else 0)
    for error in found:
        assert error.startswith("slipway:services.beacon.secrets.token.sops.")
        assert message and message in error
        assert "hunter2" not in error


def test_a_json_file_is_indented_with_tabs_as_sops_does(folder: Path) -> None:
    (folder / "secrets.json").write_text(json.dumps(ENCRYPTED, indent="\t"))
    assert [*sops_errors(settings(secrets=source("database.password", "secrets.json")))] == []
    (folder / "secrets.json").write_text("hunter2hunter2")
    (error,) = sops_errors(settings(secrets=source("database.password", "secrets.json")))
    assert 'sops.file is "secrets.json": use a readable YAML or JSON file' in error
    assert "hunter2" not in error


def test_a_file_is_decrypted_once_and_its_values_are_those_of_the_secrets(folder: Path) -> None:
    environment = sops(folder, f"echo '{json.dumps(DECRYPTED)}'")
    given = settings(
        secrets={
            "password": {"sops": {"file": FILE, "key": "database.password"}, "onChange": "none"},
            "port": {"sops": {"file": FILE, "key": "database.port"}},
        }
    )
    assert uses_sops(given)
    set_values(decrypt(given, "Pulumi.dev.yaml", environment))
    secrets = given.services["beacon"].secrets
    values = {name: one.value and one.value.get_secret_value() for name, one in secrets.items()}
    assert values == {"password": "hunter2hunter2", "port": "5432"}
    assert secrets["password"].on_change == "none"
    assert not uses_sops(given)
    assert (folder / "runs").read_text() == "run\n"
    assert "hunter2" not in repr(given)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 51", "its MAC does not match: it was edited without sops"),
        ("exit 128", rf"the key of none of its recipients \({AGE}\) is available: set SOPS_AGE"),
        (
            "echo Input string hunter2 does not match >&2; exit 25",
            "one of its values is plain text or was changed: it was edited without sops",
        ),
        ("echo hunter2 >&2; exit 4", f"exit code 4: `sops edit {FILE}` shows the reason"),
        (f"echo '{json.dumps(DECRYPTED)}'", r'sops\.key is "empty": use a value .* not empty'),
    ],
)
def test_a_file_that_cannot_be_decrypted_is_one_error(
    script: str, message: str, folder: Path
) -> None:
    key = "empty" if script.startswith("echo '") else "database.password"
    both = {**source(key), "other": {"sops": {"file": FILE, "key": key}}}
    with pytest.raises(SettingsError, match=message) as raised:
        decrypt(settings(secrets=both), "Pulumi.dev.yaml", sops(folder, script))
    assert len(raised.value.errors) == 1
    assert "Pulumi.dev.yaml has an error" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_missing_program_is_named(folder: Path) -> None:
    with pytest.raises(SettingsError, match="there is no sops in PATH: install it"):
        decrypt(settings(secrets=source("database.port")), "Pulumi.dev.yaml", {"PATH": str(folder)})
