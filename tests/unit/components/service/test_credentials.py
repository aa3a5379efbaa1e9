"""Secrets of a service."""

import base64
import json
from typing import Any

import pytest
from pydantic import SecretStr

from components.service.credentials import CredentialNames, Credentials, CredentialsArgs
from settings import RegistryCredentials, RegistrySettings, SecretEntry, SecretFiles
from settings.secret_files import Generate
from tests.unit.harness import Registry, run

PUBLIC = RegistrySettings(host="localhost:5000")
LOGIN = RegistryCredentials.model_construct(username="robot", password=SecretStr('h:i$d"d e\\n é'))
PRIVATE = PUBLIC.model_copy(update={"credentials": LOGIN})


GENERATED = SecretEntry(generate=Generate())


def given(value: str = "given", **options: Any) -> SecretEntry:
    entry = SecretEntry.model_validate({"value": {"secure": "v1:a"}, **options})
    return entry.model_copy(update={"value": SecretStr(value)})


def credentials(
    secrets: SecretFiles | None = None,
    registry: RegistrySettings = PUBLIC,
    environment: dict[str, str] | None = None,
    versions: dict[str, SecretFiles] | None = None,
) -> tuple[CredentialNames, Registry]:
    names: list[CredentialNames] = []
    args: CredentialsArgs = {
        "namespace": "home",
        "registry": registry,
        "secrets": secrets or {},
        "environment": environment or {},
        "versions": versions or {},
    }
    resources = run(lambda: names.append(Credentials("beacon", args).names))
    return names[0], resources


def test_a_secret_is_generated_with_the_length_and_the_characters_of_the_settings() -> None:
    generate = SecretEntry(generate=Generate(length=48, special=True))
    names, registry = credentials({"key": generate})
    password = registry.one("RandomPassword")
    assert (password["length"], password["special"]) == (48, True)
    assert registry.secret("beacon-key") == {"key": "drawn"}
    assert names.secrets == {"key": "beacon-key"}


def test_each_entry_has_a_secret_of_its_own() -> None:
    _, registry = credentials({"key": given(), "token": GENERATED})
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


ROTATED = SecretEntry(generate=Generate(rotation="2026-06"))


@pytest.mark.parametrize(
    ("entry", "revision"),
    [
        (given(), {"key": "given"}),
        (given(onChange="none"), None),
        (given(onChange="release"), None),
        (GENERATED, None),
        (ROTATED, {"key": "2026-06"}),
        (ROTATED.model_copy(update={"on_change": "none"}), None),
    ],
)
def test_a_value_restarts_the_pods_if_its_entry_says_so(
    entry: SecretEntry, revision: dict[str, str] | None
) -> None:
    names, registry = credentials({"key": entry})
    assert [one.inputs["keepers"] for one in registry.of_kind("RandomId")] == [revision] * bool(
        revision
    )
    assert (names.revision is None) == (revision is None)


def test_every_encrypted_variable_is_part_of_the_revision() -> None:
    _, registry = credentials({"key": given()}, environment={"A": "a"})
    assert registry.one("RandomId")["keepers"] == {"key": "given", "A": "a"}


def test_a_new_rotation_replaces_a_generated_value() -> None:
    _, registry = credentials({"key": ROTATED})
    assert registry.one("RandomPassword")["keepers"] == {"rotation": "2026-06"}


def test_a_version_keeps_the_secret_of_its_release() -> None:
    old, new = given("old", onChange="release"), given("new", onChange="release")
    names, registry = credentials(
        {"key": new, "token": GENERATED},
        versions={"1.0.0": {"key": old}, "1.1.0-RC.1": {"key": new, "token": GENERATED}},
    )
    assert registry.secret("beacon-key-1-0-0") == {"key": "old"}
    assert registry.secret("beacon-key-1-1-0-rc-1") == {"key": "new"}
    assert names.of_version("1.0.0").secrets == {"key": "beacon-key-1-0-0", "token": "beacon-token"}
    assert names.of_version("1.1.0-RC.1").secrets["key"] == "beacon-key-1-1-0-rc-1"
    for resource in ("beacon-key-1-0-0", "beacon-key-1-1-0-rc-1"):
        assert registry.resources[registry.urn_of("Secret", resource)].ignore_changes == ("data",)


def external(**options: Any) -> SecretEntry:
    source = {"store": "team", "key": "shop/database", "property": "password", **options}
    return SecretEntry.model_validate({"external": source})


def test_an_external_secret_keeps_the_last_value_when_its_store_is_not_available() -> None:
    names, registry = credentials({"key": external(refreshSeconds=30)})
    assert registry.of_kind("Secret") == []
    assert names.secrets == {"key": "beacon-key"}
    spec = registry.one("ExternalSecret", "beacon-key")["spec"]
    assert spec["secretStoreRef"] == {"kind": "SecretStore", "name": "team"}
    assert spec["target"]["name"] == "beacon-key"
    assert spec["target"]["deletionPolicy"] == "Retain"
    assert (spec["refreshPolicy"], spec["refreshInterval"]) == ("Periodic", "30s")
    remote = {"key": "shop/database", "property": "password"}
    assert spec["data"] == [{"secretKey": "key", "remoteRef": remote}]


def test_a_version_reads_an_external_secret_once() -> None:
    entry = external().model_copy(update={"on_change": "release"})
    names, registry = credentials({"key": entry}, versions={"1.0.0": {"key": entry}})
    assert registry.named("ExternalSecret") == {"beacon-key-1-0-0"}
    assert registry.one("ExternalSecret")["spec"]["refreshPolicy"] == "CreatedOnce"
    assert names.of_version("1.0.0").secrets == {"key": "beacon-key-1-0-0"}


def test_reloader_restarts_the_pods_only_on_request() -> None:
    entry = external().model_copy(update={"on_change": "restart"})
    assert credentials({"key": entry, "b": external()})[0].reloaded == ("beacon-key",)


def test_only_a_registry_with_credentials_has_an_image_pull_secret() -> None:
    assert credentials()[0].pull == ()
    names, registry = credentials(registry=PRIVATE)
    assert names.pull == ("beacon-registry",)
    assert registry.one("Secret", "beacon-registry")["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(registry.secret("beacon-registry")[".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths["localhost:5000"]["auth"]) == 'robot:h:i$d"d e\\n é'.encode()
