"""What is published in a stack's registry."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from commands.errors import FAILED, CommandError

LOOK_UP_SECONDS = 30


def published_digest(image: str, version: str, environment: Mapping[str, str]) -> str | None:
    """The digest of ``image`` at ``version``, or ``None`` when that version is not published.

    Raises :class:`CommandError` when the registry does not answer.
    """
    digest = _inspect(f"{image}:{version}", environment, "--format", "{{.Manifest.Digest}}")
    return digest.strip() if digest else None


def manifest(reference: str, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """The manifest of an image, or ``None`` when that is not published.

    Of an image for several platforms, it is the first one's. Raises :class:`CommandError` when the
    registry does not answer.
    """
    raw = _inspect(reference, environment, "--raw")
    if raw is None:
        return None
    found: dict[str, Any] = json.loads(raw)
    if "manifests" not in found:
        return found
    repository = reference.partition("@")[0]
    return manifest(f"{repository}@{found['manifests'][0]['digest']}", environment)


def _inspect(reference: str, environment: Mapping[str, str], *shown: str) -> str | None:
    try:
        result = subprocess.run(
            [*buildx(environment), "imagetools", "inspect", reference, *shown],
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=LOOK_UP_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError(
            f"there is no buildx and no docker on this machine, to look up {reference} with: "
            "install one, or run `make local-up`"
        ) from None
    except subprocess.TimeoutExpired:
        message = f"the registry of {reference} did not answer within {LOOK_UP_SECONDS} s"
        raise CommandError(message, FAILED) from None
    if result.returncode == 0:
        return result.stdout
    if "not found" in result.stderr:
        return None
    raise CommandError(f"cannot look up {reference}: {result.stderr.strip()}", FAILED)


def buildx(environment: Mapping[str, str]) -> Sequence[str]:
    """How buildx is called: by itself where it is on the path, else as Docker's plugin."""
    if program := shutil.which("buildx", path=environment.get("PATH")):
        return [program]
    return ["docker", "buildx"]
