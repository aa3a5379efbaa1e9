"""Secrets of a service."""

import base64
import json

from pydantic import SecretStr

from components.service.credentials import CredentialNames, Credentials, CredentialsArgs
from settings import GeneratedSecret, RegistryCredentials, RegistrySettings, SecretFiles
from settings.secret_files import Generate
from tests.unit.harness import Registry, run

PUBLIC = RegistrySettings(host="localhost:5000")
LOGIN = RegistryCredentials.model_construct(username="robot", password=SecretStr('h:i$d"d e\\n é'))
PRIVATE = PUBLIC.model_copy(update={"credentials": LOGIN})


GENERATED = GeneratedSecret(generate=Generate())


def credentials(
    registry: RegistrySettings = PUBLIC,
    files: SecretFiles | None = None,
    environment: dict[str, str] | None = None,
) -> tuple[CredentialNames, Registry]:
    names: list[CredentialNames] = []
    args: CredentialsArgs = {
        "namespace": "home",
        "registry": registry,
        "files": files or {},
        "environment": environment or {},
    }
    resources = run(lambda: names.append(Credentials("beacon", args).names))
    return names[0], resources


def test_a_secret_is_generated_with_the_length_and_the_characters_of_the_settings() -> None:
    generate = GeneratedSecret(generate=Generate(length=48, special=True))
    names, registry = credentials(files={"key": generate})
    password = registry.one("RandomPassword")
    assert (password["length"], password["special"]) == (48, True)
    assert registry.secret("beacon-key") == {"key": "drawn"}
    assert names.files == {"key": "beacon-key"}


def test_each_file_has_a_secret_of_its_own() -> None:
    _, registry = credentials(files={"key": SecretStr("given"), "token": GENERATED})
    assert registry.secret("beacon-key") == {"key": "given"}
    assert registry.secret("beacon-token") == {"token": "drawn"}


def test_encrypted_variables_are_in_one_secret() -> None:
    names, registry = credentials(environment={"A": "a", "proxy.B": "b"})
    assert names.environment == "beacon-env"
    assert registry.secret("beacon-env") == {"A": "a", "proxy.B": "b"}


def test_a_service_without_secrets_has_none() -> None:
    names, registry = credentials()
    assert registry.of_kind("Secret") == []
    assert names.revision is None


def test_every_encrypted_value_is_part_of_the_revision_and_no_generated_one() -> None:
    _, registry = credentials(
        files={"key": SecretStr("given"), "token": GENERATED}, environment={"A": "a"}
    )
    assert registry.one("RandomId")["keepers"] == {"key": "given", "A": "a"}
    names, registry = credentials(files={"token": GENERATED})
    assert registry.of_kind("RandomId") == []
    assert names.revision is None


def test_only_a_registry_with_credentials_has_an_image_pull_secret() -> None:
    assert credentials()[0].pull == ()
    names, registry = credentials(PRIVATE)
    assert names.pull == ("beacon-registry",)
    assert registry.one("Secret", "beacon-registry")["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(registry.secret("beacon-registry")[".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths["localhost:5000"]["auth"]) == 'robot:h:i$d"d e\\n é'.encode()
