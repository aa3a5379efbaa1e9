"""Images in a stack's registry, read by ``buildx imagetools inspect``."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands.buildx import buildx
from commands.errors import FAILED, CommandError
from commands.pulumi import Stack
from commands.secret_file import private_folder, secret_file
from settings import RegistrySettings, docker_config

TIMEOUT_SECONDS = 30


def login(
    settings: RegistrySettings, stack: Stack, environment: Mapping[str, str]
) -> Mapping[str, str]:
    """Environment variables that give Docker's programs the credentials of the registry.

    Decrypts the password. Empty if the settings have no credentials. ``environment`` has the
    variables of Docker's own configuration, which is used otherwise. Raises :class:`CommandError`
    if that configuration cannot be read.
    """
    credentials = settings.credentials
    if credentials is None:
        return {}
    password = stack.secret("registry.credentials.password")
    current = Path(environment.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    login_config = docker_config(settings.host, credentials.username, password)
    folder = private_folder()
    for file in current.iterdir() if current.is_dir() else ():
        if file.name != "config.json":
            (folder / file.name).symlink_to(file.absolute())
    config = _with_login(current / "config.json", json.loads(login_config)["auths"])
    (folder / "config.json").symlink_to(secret_file(json.dumps(config)))
    return {"DOCKER_CONFIG": str(folder)}


def _with_login(file: Path, logins: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration in a file of Docker, with these logins in place of its own."""
    try:
        config = json.loads(file.read_text()) if file.is_file() else {}
    except ValueError as error:
        raise CommandError(
            f"{file}, the configuration of Docker, is not valid JSON: {error}"
        ) from None
    # Without a helper for a host, Docker looks its credentials up in `auths`.
    helpers = {**config.get("credHelpers", {}), **dict.fromkeys(logins, "")}
    return {**config, "auths": {**config.get("auths", {}), **logins}, "credHelpers": helpers}


class RegistryError(CommandError):
    """The registry cannot be read."""


def published_digest(image: str, version: str, environment: Mapping[str, str]) -> str | None:
    """Digest of ``image`` at ``version``, or None if that version is not published.

    Raises :class:`RegistryError` if the registry cannot be read.
    """
    digest = inspect(f"{image}:{version}", environment, "--format", "{{.Manifest.Digest}}")
    return digest.strip() if digest else None


def manifest(reference: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Manifest of an image, or None if it is not published.

    For a multi-platform image, the manifest of the first platform. Raises :class:`RegistryError` if
    the registry cannot be read.
    """
    raw = inspect(reference, environment, "--raw")
    if raw is None:
        return None
    found: dict[str, Any] = json.loads(raw)
    if "manifests" not in found:
        return found
    repository = reference.partition("@")[0]
    return manifest(f"{repository}@{found['manifests'][0]['digest']}", environment)


def inspect(reference: str, environment: Mapping[str, str], *options: str) -> str | None:
    """Output of ``buildx imagetools inspect``, or None if the image is not published.

    Raises :class:`CommandError` if the registry cannot be read.
    """
    try:
        result = subprocess.run(
            [*buildx(environment), "imagetools", "inspect", reference, *options],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise RegistryError(
            f"cannot look up {reference}: there is no buildx and no docker on this machine; "
            "install one, or run `make local-up`"
        ) from None
    except subprocess.TimeoutExpired:
        message = f"the registry of {reference} did not respond within {TIMEOUT_SECONDS} s"
        raise RegistryError(message, FAILED) from None
    if result.returncode == 0:
        return result.stdout
    if "not found" in result.stderr:
        return None
    raise RegistryError(f"cannot look up {reference}: {result.stderr.strip()}", FAILED)
