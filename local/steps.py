"""Steps that wait for each other, done side by side."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.progress import Display, Say


@dataclass
class Step:
    """A piece of work, which begins when the steps named in `needs` are done."""

    name: str
    work: Callable[[Say], object]
    needs: Sequence[str] = ()
    error: BaseException | None = field(default=None, init=False)


def run(steps: Sequence[Step], display: Display) -> None:
    """Does every step as soon as those it needs are done.

    Ends with the error of the first that fails, at once: what still runs is left to end with this
    process. Steps that need an unknown one, or each other, are a ValueError.
    """
    waiting, ended = list(steps), queue.SimpleQueue[Step]()
    done: set[str] = set()
    running = 0
    while waiting or running:
        for step in list(waiting):
            if done.issuperset(step.needs):
                waiting.remove(step)
                running += 1
                # Daemons: neither an error nor Ctrl-C waits for them.
                threading.Thread(target=_do, args=(step, display, ended), daemon=True).start()
        if not running:
            raise ValueError(f"steps that nothing lets begin: {[step.name for step in waiting]}")
        step = ended.get()
        running -= 1
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
