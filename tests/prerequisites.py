"""``python -m tests.prerequisites``: starts the node and builds the programs of the tests.

Building takes minutes, longer than the timeout of a test.
"""

import os
import subprocess
import sys

from local import toolchain
from local.layout import Layout
from tests.cluster.project import CHECKOUT

CHECKERS = ("kube-score", "promtool", "amtool", "loki", "otelcol-k8s", "trivy", "istioctl")
"""Programs that check the rendered manifests."""
LOAD = ("vegeta",)
"""Programs that send requests."""
SECRETS = ("sops", "age-keygen")
"""Programs that encrypt and decrypt secrets."""
SLOW = (
    *("argocd", "cert-manager", "acmesolver", "pebble", "external-secrets", "vault"),
    *("activator", "autoscaler", "controller", "net-gateway-api", "queue", "webhook"),
    *("external-dns", "istio-cni", "kwok", "pilot-agent", "pilot-discovery", "prometheus"),
)
"""Programs of the tests that run with ``SLOW=1``."""

MODULES = {"dashboards": ["."], "flux": [".", "tool"], "podsecurity": ["."]}
"""Go modules in tests/manifests, and their packages that the tests use."""


def main() -> int:
    """Build and start what is missing; return the exit code of the first failed step."""
    slow = SLOW if os.environ.get("SLOW") else ()
    for step in (["up"], ["images"], ["build", *CHECKERS, *LOAD, *SECRETS, *slow]):
        command = [sys.executable, "-m", "local", *step]
        result = subprocess.run(command, cwd=CHECKOUT, check=False)
        if result.returncode != 0:
            return result.returncode
    return compile_modules()


def compile_modules() -> int:
    """Compile the Go modules of the tests, which each worker would do at once without a cache."""
    layout = Layout()
    go = toolchain.find(layout) or toolchain.install(layout)
    for name, packages in MODULES.items():
        # Compiles and does not link: next to nothing if the cache has all packages.
        result = subprocess.run(
            [go.command, "list", "-export", "-deps", *packages],
            cwd=CHECKOUT / "tests" / "manifests" / name,
            env=go.variables(layout),
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if result.returncode != 0:
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
