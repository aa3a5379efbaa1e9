"""Locks of one `SLIPWAY_HOME`, each held by one process at a time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from local import files
from local.errors import LocalError
from local.layout import Layout

NODE = "node"
"""Lock of the daemons, which start in a second if nothing is missing."""
TOOLCHAIN = "toolchain"
"""Lock of the Go toolchain, which is installed once."""
_TIMEOUT = 1800.0
"""Seconds: more than building everything takes."""


@contextmanager
def hold_lock(paths: Layout, name: str) -> Iterator[None]:
    """Hold a lock, which ends with the process. Raises `LocalError` on a timeout."""
    paths.root.mkdir(parents=True, exist_ok=True)
    with (paths.root / f"{name}.lock").open("a+") as file:
        deadline = time.monotonic() + _TIMEOUT
        if not files.lock(file):
            print("Another run is active: waiting for it to end.", file=sys.stderr)
        while not files.lock(file):
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Another run did not end within {_TIMEOUT / 60:g} minutes: end it first."
                )
            time.sleep(0.2)
        yield
