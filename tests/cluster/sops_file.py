"""Files that the real sops encrypts with an age key of their own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.project import CHECKOUT


@dataclass(frozen=True)
class AgeKey:
    """An age key in a file."""

    file: Path
    environment: Mapping[str, str]
    """Environment variables of a machine without the key."""

    @classmethod
    def generate(cls, folder: Path, environment: Mapping[str, str]) -> "AgeKey":
        """Generate a key in ``folder``; builds sops if necessary."""
        build = (sys.executable, "-m", "local", "build", "sops", "age-keygen")
        subprocess.run(build, cwd=CHECKOUT, check=True)
        file = folder / "age.key"
        subprocess.run(
            ["age-keygen", "-o", str(file)], env=dict(environment), capture_output=True, check=True
        )
        return cls(file, environment)

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that give sops the key."""
        return {"SOPS_AGE_KEY_FILE": str(self.file)}

    @property
    def recipient(self) -> str:
        """The public key."""
        return self.file.read_text().partition("public key: ")[2].split()[0]

    def encrypt(self, file: Path, values: Mapping[str, Any]) -> None:
        """Encrypt values to a file; they are in no file and no argument."""
        encrypted = subprocess.run(
            [
                *("sops", "encrypt", "--age", self.recipient, "--input-type", "json"),
                *("--output-type", "yaml", "/dev/stdin"),
            ],
            env=dict(self.environment),
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=True,
        )
        file.write_text(encrypted.stdout)
