"""One command at a time works on one thing: on a stack, or on what is made once for all."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.errors import FAILED, CommandError
from local import files

OTHER_RUN_SECONDS = 900
"""How long to wait for another run to end: longer than a cold first one of a stack."""


@contextmanager
def turn(thing: str, folder: Path, deadline: float = OTHER_RUN_SECONDS) -> Iterator[None]:
    """Wait until no other command works on ``thing``, then let none begin.

    Killing ``make`` leaves what it ran at work, so the next command can meet it anywhere, also
    where Pulumi holds no lock yet. The lock is a file in ``folder`` and goes with its process.
    Raises :class:`CommandError` after ``deadline`` seconds.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"{thing}.lock").open("a") as file:
        end = time.monotonic() + deadline
        told = False
        while not files.lock(file):
            if time.monotonic() > end:
                message = f"another run on {thing} did not end within {deadline:g} s; end it first"
                raise CommandError(message, FAILED)
            if not told:
                print(f"waiting for another run on {thing} to end", flush=True)
                told = True
            time.sleep(0.2)
        yield
