"""Output on a terminal that is updated in place."""

from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live


class LiveDisplay:
    """Output that is replaced by each update, and removed at the end. A context manager."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, shown: RenderableType) -> None:
        """Replace the output."""
        self._live.update(shown)
