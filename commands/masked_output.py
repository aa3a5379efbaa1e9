"""Output of a program without the secrets that it may print."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_MASK = "[secret]"
_MIN_LINE = 4
"""Length from which a line of a secret is masked on its own."""


def mask(text: str, secrets: Iterable[str]) -> str:
    """Replace secrets, and each of their lines, because output has one line at a time."""
    lines = (line.strip() for secret in secrets for line in secret.splitlines())
    found = {*secrets, *(line for line in lines if len(line) >= _MIN_LINE)}
    # At the same position, the first text that matches is replaced.
    texts = sorted(filter(None, (one.strip() for one in found)), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, texts)), _MASK, text) if texts else text


def run_masked(
    command: Sequence[str], secrets: Iterable[str], environment: Mapping[str, str], folder: Path
) -> int:
    """Run a program whose output is printed line by line, without the secrets.

    Return its exit code.
    """
    secrets = [*secrets]
    with subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            print(mask(line, secrets), end="", file=sys.stderr, flush=True)
    return process.returncode
