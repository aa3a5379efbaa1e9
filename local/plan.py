"""Steps that wait for each other, done side by side."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.progress import Display, Say

HEAVY_AT_ONCE = 2
"""Builds side by side: while one links, which takes one core, the other compiles."""


@dataclass
class Step:
    """A piece of work. Of the `heavy` ones only `HEAVY_AT_ONCE` run, in the plan's order."""

    name: str
    work: Callable[[Say], None]
    needs: Sequence[str] = ()
    heavy: bool = False
    error: BaseException | None = field(default=None, init=False)


def run(steps: Sequence[Step], display: Display) -> None:
    """Does every step as soon as those it needs are done.

    Ends with the error of the first that fails, at once: what still runs is left to end with this
    process. Steps that need an unknown one, or each other, are a ValueError.
    """
    waiting, ended = list(steps), queue.SimpleQueue[Step]()
    done: set[str] = set()
    heavy = running = 0
    while waiting or running:
        for step in list(waiting):
            if done.issuperset(step.needs) and not (step.heavy and heavy == HEAVY_AT_ONCE):
                waiting.remove(step)
                running, heavy = running + 1, heavy + step.heavy
                # Daemons: neither an error nor Ctrl-C waits for them.
                threading.Thread(target=_do, args=(step, display, ended), daemon=True).start()
        if not running:
            raise ValueError(f"steps that nothing lets begin: {[step.name for step in waiting]}")
        step = ended.get()
        running, heavy = running - 1, heavy - step.heavy
        if step.error:
            raise step.error
        done.add(step.name)


def _do(step: Step, display: Display, ended: "queue.SimpleQueue[Step]") -> None:
    try:
        with display.step(step.name) as say:
            step.work(say)
    except BaseException as error:
        step.error = error
    ended.put(step)
