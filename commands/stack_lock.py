"""Per-stack lock: one command at a time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.errors import FAILED, CommandError
from local import files
from local.layout import Layout

WAIT_SECONDS = 900
"""Longer than the first update of a stack takes with nothing cached."""
_POLL_SECONDS = 0.2


@contextmanager
def hold_lock(
    name: str, folder: Path | None = None, timeout: float = WAIT_SECONDS
) -> Iterator[None]:
    """Hold the lock of a stack, or of a tool that is installed once per machine.

    Killing ``make`` does not end the command that it ran, so the next command may overlap with it
    before Pulumi takes its own lock. The lock is a file in ``folder``, by default in Slipway's
    home; the kernel releases it when the process ends. Raises :class:`CommandError` when another
    process holds it for longer than ``timeout`` seconds.
    """
    folder = folder or Layout().root / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a") as file:
        deadline = time.monotonic() + timeout
        is_first_try = True
        while not files.lock(file):
            if time.monotonic() > deadline:
                message = f"another run on {name} did not end within {timeout:g} s; end it first"
                raise CommandError(message, FAILED)
            if is_first_try:
                print(f"waiting for another run on {name} to end", flush=True)
                is_first_try = False
            time.sleep(_POLL_SECONDS)
        yield
