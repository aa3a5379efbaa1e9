"""``python -m tests.prerequisites``: starts the node and builds the programs of the tests.

Building takes minutes, longer than the timeout of a test.
"""

import subprocess
import sys

from tests.cluster.project import CHECKOUT

CHECKERS = ("kube-score", "promtool", "amtool", "loki", "otelcol-k8s")
"""Programs that check the rendered manifests."""
LOAD = ("vegeta",)
"""Programs that send requests."""
CERTIFICATES = ("cert-manager", "acmesolver", "pebble")
"""Programs that issue certificates."""
SECRETS = ("external-secrets", "vault", "sops", "age-keygen")
"""Programs that keep and read secrets."""
ALERTS = ("prometheus",)
"""Programs that evaluate alerts."""


def main() -> int:
    """Build and start what is missing; return the exit code of the first failed step."""
    for step in (["up"], ["images"], ["build", *CHECKERS, *LOAD, *CERTIFICATES, *SECRETS, *ALERTS]):
        command = [sys.executable, "-m", "local", *step]
        result = subprocess.run(command, cwd=CHECKOUT, check=False)
        if result.returncode != 0:
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
