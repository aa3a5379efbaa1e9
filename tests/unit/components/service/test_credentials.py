"""The Secrets that workloads use."""

import base64
import json

from pydantic import SecretStr

from components.service.credentials import Credentials
from settings import ImageSettings, RegistryLogin
from tests.unit.harness import Registry, run

OPEN = ImageSettings(registry="localhost:5000", repository="slipway/beacon")
LOGIN = RegistryLogin.model_construct(username="robot", password=SecretStr("hidden"))
CLOSED = OPEN.model_copy(update={"login": LOGIN})


def credentials(image: ImageSettings = OPEN, token: SecretStr | None = None) -> Registry:
    return run(lambda: Credentials("beacon", {"namespace": "home", "image": image, "token": token}))


def test_a_token_is_generated_where_none_is_given() -> None:
    registry = credentials()
    assert registry.of_kind("RandomPassword")[0].inputs["length"] == 32
    assert registry.secret("beacon-token") == {"token": "drawn"}


def test_a_given_token_is_used_and_none_is_generated() -> None:
    registry = credentials(token=SecretStr("given"))
    assert registry.of_kind("RandomPassword") == []
    assert registry.secret("beacon-token") == {"token": "given"}


def test_an_open_registry_needs_no_pull_secret() -> None:
    assert credentials().named("Secret") == {"beacon-token"}


def test_a_closed_registry_is_pulled_from_with_the_login_that_pushed() -> None:
    registry = credentials(CLOSED)
    assert registry.one("Secret", "beacon-registry")["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(registry.secret("beacon-registry")[".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths["localhost:5000"]["auth"]) == b"robot:hidden"


def test_no_value_is_in_a_name_or_a_label() -> None:
    for secret in credentials(CLOSED, SecretStr("given")).of_kind("Secret"):
        metadata = json.dumps(secret.inputs["metadata"])
        assert "hidden" not in metadata
        assert "given" not in metadata
