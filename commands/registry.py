"""What is published in a stack's registry."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from commands.errors import FAILED, CommandError

LOOK_UP_SECONDS = 30


def published_digest(image: str, version: str, environment: Mapping[str, str]) -> str | None:
    """The digest of ``image`` at ``version``, or ``None`` when that version is not published.

    Raises :class:`CommandError` when the registry does not answer.
    """
    reference = f"{image}:{version}"
    command = [
        *_buildx(environment),
        *("imagetools", "inspect", reference, "--format", "{{.Manifest.Digest}}"),
    ]
    try:
        result = subprocess.run(
            command,
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=LOOK_UP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"the registry of {reference} did not answer within {LOOK_UP_SECONDS} s"
        raise CommandError(message, FAILED) from None
    if result.returncode == 0:
        return result.stdout.strip()
    if "not found" in result.stderr:
        return None
    raise CommandError(f"cannot look up {reference}: {result.stderr.strip()}", FAILED)


def _buildx(environment: Mapping[str, str]) -> Sequence[str]:
    if buildx := shutil.which("buildx", path=environment.get("PATH")):
        return [buildx]
    return ["docker", "buildx"]
