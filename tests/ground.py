"""``python -m tests.ground``: what tests stand on and check with, there before their clocks run."""

import subprocess
import sys

from tests.cluster.project import CHECKOUT

CHECKERS = ("kubeconform", "kube-score", "promtool", "amtool", "loki", "otelcol-k8s")
"""Programs that read what is rendered."""


def main() -> int:
    """Build and start what is missing; return the exit code of the first step that failed."""
    for step in (["up"], ["images"], ["build", *CHECKERS]):
        command = [sys.executable, "-m", "local", *step]
        result = subprocess.run(command, cwd=CHECKOUT, check=False)
        if result.returncode != 0:
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
