"""Images in a registry, read by a fake buildx."""

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from commands.errors import CommandError
from commands.registry import login, manifest, published_digest
from settings import RegistryCredentials, RegistrySettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from commands.pulumi import Stack

IMAGE = "localhost:5000/slipway/beacon"
ONE = {"config": {"size": 1}, "layers": [{"size": 2}]}
SEVERAL = {"manifests": [{"digest": "sha256:first"}, {"digest": "sha256:second"}]}


class Registry:
    """Fake `buildx` with an output or an error per reference."""

    def __init__(self, folder: Path) -> None:
        self._outputs = folder / "outputs"
        buildx = folder / "buildx"
        buildx.write_text(
            f"#!{sys.executable}\n"
            "import json, pathlib, sys\n"
            f"outputs = json.loads(pathlib.Path({str(self._outputs)!r}).read_text())\n"
            "found = outputs.get(sys.argv[3])\n"
            "sys.exit(f'ERROR: {sys.argv[3]}: not found' if found is None else print(found))\n"
        )
        buildx.chmod(0o755)
        self.environment: Mapping[str, str] = {"PATH": str(folder)}

    def prints(self, **by_reference: object) -> None:
        text = {
            f"{IMAGE}{reference}": output if isinstance(output, str) else json.dumps(output)
            for reference, output in by_reference.items()
        }
        self._outputs.write_text(json.dumps(text))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_a_published_version_has_a_digest(registry: Registry) -> None:
    registry.prints(**{":1.0.0": "sha256:abc"})
    assert published_digest(IMAGE, "1.0.0", registry.environment) == "sha256:abc"


def test_a_version_that_is_not_published_has_no_digest(registry: Registry) -> None:
    registry.prints()
    assert published_digest(IMAGE, "1.0.0", registry.environment) is None
    assert manifest(f"{IMAGE}:1.0.0", registry.environment) is None


def test_an_image_for_one_platform_has_its_own_manifest(registry: Registry) -> None:
    registry.prints(**{":1.0.0": ONE})
    assert manifest(f"{IMAGE}:1.0.0", registry.environment) == ONE


def test_a_multi_platform_image_has_the_manifest_of_its_first_platform(registry: Registry) -> None:
    registry.prints(**{"@sha256:all": SEVERAL, "@sha256:first": ONE})
    assert manifest(f"{IMAGE}@sha256:all", registry.environment) == ONE


def test_a_registry_that_does_not_respond_is_an_error(tmp_path: Path) -> None:
    buildx = tmp_path / "buildx"
    buildx.write_text("#!/bin/sh\necho connection refused >&2\nexit 1\n")
    buildx.chmod(0o755)
    with pytest.raises(CommandError, match=rf"cannot look up {IMAGE}:1.0.0: connection refused"):
        published_digest(IMAGE, "1.0.0", {"PATH": str(tmp_path)})


class FakeStack:
    """Decrypts every value to a password with characters that tools quote."""

    password = "a$b\"c\\d'e#f%g@h+i:j é\N{SNOWMAN}\n"

    def secret(self, path: str) -> str:
        assert path == "registry.credentials.password"
        return self.password


def test_the_credentials_of_the_settings_are_beside_those_of_docker_and_in_no_file(
    tmp_path: Path,
) -> None:
    docker = {
        "auths": {"localhost:5000": {"auth": "b2xk"}, "example.com": {"auth": "YQ=="}},
        "credsStore": "desktop",
    }
    (tmp_path / "config.json").write_text(json.dumps(docker))
    (tmp_path / "cli-plugins").mkdir()
    given = RegistryCredentials.model_construct(username="robot+é", password=SecretStr("-"))
    settings = RegistrySettings.model_construct(host="localhost:5000", credentials=given)
    variables = login(settings, cast("Stack", FakeStack()), {"DOCKER_CONFIG": str(tmp_path)})
    folder = Path(variables["DOCKER_CONFIG"])
    config = json.loads((folder / "config.json").read_text())
    pair = base64.b64decode(config["auths"]["localhost:5000"]["auth"]).decode()
    assert pair == f"robot+é:{FakeStack.password}"
    assert config["auths"]["example.com"] == {"auth": "YQ=="}
    assert config["credHelpers"] == {"localhost:5000": ""}
    assert config["credsStore"] == "desktop"
    assert (folder / "cli-plugins").is_dir()
    assert variables == {"DOCKER_CONFIG": str(folder)}
    # In memory on Linux.
    assert str((folder / "config.json").readlink()).startswith("/proc/")


def test_a_broken_configuration_of_docker_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    given = RegistryCredentials.model_construct(username="robot", password=SecretStr("-"))
    settings = RegistrySettings.model_construct(host="localhost:5000", credentials=given)
    with pytest.raises(
        CommandError, match=r"config\.json, the configuration of Docker, is not valid JSON"
    ):
        login(settings, cast("Stack", FakeStack()), {"DOCKER_CONFIG": str(tmp_path)})


def test_a_registry_without_credentials_is_read_with_those_of_the_machine() -> None:
    settings = RegistrySettings.model_construct(host="localhost:5000")
    assert login(settings, cast("Stack", FakeStack()), {}) == {}


def test_a_missing_buildx_is_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match=f"cannot look up {IMAGE}:1.0.0: there is no buildx and no docker"
    ):
        published_digest(IMAGE, "1.0.0", {"PATH": str(tmp_path)})
