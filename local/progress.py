"""Progress of running steps: a live table on a terminal, lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

ReportProgress = Callable[[str], None]
"""Callback that shows what a step is doing, in a few words."""

_LINE_INTERVAL = 15.0
"""Seconds between two lines of progress where there is no terminal."""

_MINIMUM_SHOWN = 1.0
"""Seconds; a step that ends sooner found nothing to do and is not shown."""


class Display:
    """Context manager that shows steps while they run. `step` is thread-safe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("… {task.description}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=console,
            transient=True,
        )
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        else:
            threading.Thread(target=self._print_regularly, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._console.is_terminal:
            self._progress.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[ReportProgress]:
        """Show `name` as running, and yield the callback for its details."""
        began = time.monotonic()
        task = self._progress.add_task(name, total=None, detail="")
        try:
            yield lambda detail: self._progress.update(task, detail=detail)
        except BaseException:
            self._print(Text(f"✗ {name}", "red"))
            raise
        finally:
            self._progress.remove_task(task)
        took = time.monotonic() - began
        if took >= _MINIMUM_SHOWN:
            self._print(Text.assemble(("✓ ", "green"), name, (f"  {_clock(took)}", "dim")))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _print_regularly(self) -> None:
        while not self._ended.wait(_LINE_INTERVAL):
            running = [
                f"{task.description} {_clock(task.elapsed or 0)}"
                + (f" ({task.fields['detail']})" if task.fields["detail"] else "")
                for task in self._progress.tasks
            ]
            if running:
                self._print(Text(f"… {', '.join(running)}"))


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
