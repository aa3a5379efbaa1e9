"""Secrets of a service."""

import base64
import json

from pydantic import SecretStr

from components.service.credentials import Credentials
from settings import RegistryCredentials, RegistrySettings
from tests.unit.harness import Registry, run

PUBLIC = RegistrySettings(host="localhost:5000")
LOGIN = RegistryCredentials.model_construct(username="robot", password=SecretStr('h:i$d"d e\\n é'))
PRIVATE = PUBLIC.model_copy(update={"credentials": LOGIN})


def credentials(registry: RegistrySettings = PUBLIC, token: SecretStr | None = None) -> Registry:
    return run(
        lambda: Credentials("beacon", {"namespace": "home", "registry": registry, "token": token})
    )


def test_a_token_is_generated_by_default() -> None:
    registry = credentials()
    assert registry.one("RandomPassword")["length"] == 32
    assert registry.secret("beacon-token") == {"token": "drawn"}


def test_a_token_of_the_settings_is_used_and_none_is_generated() -> None:
    registry = credentials(token=SecretStr("given"))
    assert registry.of_kind("RandomPassword") == []
    assert registry.secret("beacon-token") == {"token": "given"}


def test_only_a_registry_with_credentials_has_an_image_pull_secret() -> None:
    assert credentials().named("Secret") == {"beacon-token"}
    registry = credentials(PRIVATE)
    assert registry.one("Secret", "beacon-registry")["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(registry.secret("beacon-registry")[".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths["localhost:5000"]["auth"]) == 'robot:h:i$d"d e\\n é'.encode()
