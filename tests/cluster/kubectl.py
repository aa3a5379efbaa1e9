"""``kubectl`` with the variables of a test."""

import subprocess
from collections.abc import Mapping


def kubectl(*arguments: str, environment: Mapping[str, str], stdin: str | None = None) -> str:
    """Run a command that must succeed; return what it prints."""
    result = subprocess.run(
        ["kubectl", *arguments],
        env=dict(environment),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
