"""List of a stack's secrets."""

import json
from pathlib import Path

import pytest

from commands.stack_secrets import main

CIPHERTEXT = "v1:AAAA:BBBB"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
STATE = {
    "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:s"}},
    "resources": [
        {"type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:dev::slipway::s::slipway-dev"},
        {
            "type": "kubernetes:core/v1:Secret",
            "urn": "urn:pulumi:dev::slipway::a$kubernetes:core/v1:Secret::shop-token",
            "inputs": {"data": {**SECRET, "ciphertext": CIPHERTEXT}},
            "outputs": {"data": {**SECRET, "ciphertext": CIPHERTEXT}, "kind": "Secret"},
        },
        {
            "type": "docker-build:index:Image",
            "urn": "urn:pulumi:dev::slipway::a$docker-build:index:Image::shop",
            "inputs": {"registries": [{"password": {**SECRET, "ciphertext": CIPHERTEXT}}]},
        },
    ],
}
FILE = """\
encryptionsalt: {}
config:
  slipway:namespace: {{name: shop}}
  slipway:registry:
    host: registry.example.com
    credentials: {{username: robot, password: {{secure: v1:AAAA:BBBB}}}}
  slipway:services:
    shop:
      source: app
      release: {{stable: {{version: 1.0.0}}}}
      secrets: {{token: {{sops: {{file: shop.yaml, key: a.token}}}}}}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    monkeypatch.setattr("commands.stack_secrets.Prerequisites.prepare_cli", lambda _: None)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    state = tmp_path / ".pulumi/stacks/slipway/dev.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": STATE}}))
    return tmp_path / "Pulumi.dev.yaml"


def test_each_secret_is_listed_with_its_place_and_without_its_value(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE.format("v1:s"))
    encrypted = {"a": {"token": "ENC[]"}, "sops": {"age": [{"recipient": "age1shop"}]}}
    (file.parent / "shop.yaml").write_text(json.dumps(encrypted))
    assert main(["--stack=dev"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == [
        "Pulumi.dev.yaml, encrypted by a passphrase: 1",
        "  slipway:registry.credentials.password",
        "shop.yaml, encrypted by sops for age1shop: 1",
        "  a.token: slipway:services.shop.secrets.token",
        "state, encrypted by a passphrase: 2",
        "  docker-build:index:Image shop: registries[0].password",
        "  kubernetes:core/v1:Secret shop-token: data",
    ]


def test_a_stack_file_with_another_provider_than_the_state_is_an_error(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(FILE.format("v1:other"))
    assert main(["--stack=dev"]) == 1
    assert "make secrets-provider" in capsys.readouterr().err
