"""The Pulumi CLI with its own home and backend."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.layout import Layout
from local.plugins.install import install

SECONDS = 300


class PulumiCli:
    """The Pulumi CLI with plugins in ``home`` and stacks in ``state``."""

    def __init__(
        self, environment: Mapping[str, str], home: Path, state: Path, passphrase: str
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        install(Layout(), home / "plugins")
        self._environment = {
            **environment,
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
        }
        self._environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def run(self, folder: Path, *arguments: str, typed: str = "") -> str:
        """Run a command, which must succeed, and return its output. ``typed`` is its input."""
        result = subprocess.run(
            ["pulumi", *([] if typed else ["--non-interactive"]), *arguments],
            cwd=folder,
            env=self._environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout
