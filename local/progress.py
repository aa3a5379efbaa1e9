"""What is being done, shown while it is done: live on a terminal, as lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

Say = Callable[[str], None]
"""Tells in a few words what a step does right now."""

_LINE_EVERY = 15.0
"""Seconds between two lines of what is going on, where there is no terminal."""

_QUICK = 1.0
"""Seconds under which a finished step is not told: it found things as they should be."""


@dataclass
class _Running:
    name: str
    began: float = field(default_factory=time.monotonic)
    detail: str = ""

    def __str__(self) -> str:
        shown = f"{self.name} {_clock(time.monotonic() - self.began)}"
        return f"{shown} ({self.detail})" if self.detail else shown


class Display:
    """Shows steps as they begin and end. Use it as a context; `step` is safe in threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: list[_Running] = []
        self._ended = threading.Event()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._table, transient=True)
            self._live.start()
        else:
            threading.Thread(target=self._tell_regularly, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[Say]:
        """Shows `name` as running; gives the function that tells details of it."""
        running = _Running(name)
        self._running.append(running)

        def say(detail: str) -> None:
            running.detail = detail

        try:
            yield say
        except BaseException:
            self._running.remove(running)
            self._tell(Text(f"✗ {name}", "red"))
            raise
        self._running.remove(running)
        took = time.monotonic() - running.began
        if took >= _QUICK:
            self._tell(Text.assemble(("✓ ", "green"), name, (f"  {_clock(took)}", "dim")))

    def _tell(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _tell_regularly(self) -> None:
        while not self._ended.wait(_LINE_EVERY):
            if self._running:
                self._tell(Text("… " + ", ".join(str(step) for step in self._running)))

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for step in list(self._running):
            clock = _clock(time.monotonic() - step.began)
            table.add_row(Text(f"… {step.name}"), Text(clock, "cyan"), Text(step.detail, "dim"))
        return table


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
