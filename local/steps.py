"""Runs the steps of a task concurrently, in the order of their dependencies."""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from local.progress import Display, ReportProgress


@dataclass(frozen=True)
class Step:
    """A unit of work that starts when the steps named in `needs` are done."""

    name: str
    work: Callable[[ReportProgress], object]
    needs: Sequence[str] = ()


def run_steps(steps: Sequence[Step], display: Display) -> None:
    """Run each step as soon as the steps that it needs are done.

    Raises the error of the first step that fails, without waiting for those that still run: they
    end with the process. Raises `ValueError` if steps depend on each other in a circle.
    """
    by_name = {step.name: step for step in steps}
    graph = TopologicalSorter({step.name: step.needs for step in steps})
    graph.prepare()
    ended = queue.SimpleQueue[tuple[str, BaseException | None]]()
    while graph.is_active():
        for name in graph.get_ready():
            # Daemon threads: neither an error nor Ctrl-C waits for them.
            arguments = (by_name[name], display, ended)
            threading.Thread(target=_run, args=arguments, daemon=True).start()
        name, error = ended.get()
        if error:
            raise error
        graph.done(name)


def _run(
    step: Step, display: Display, ended: "queue.SimpleQueue[tuple[str, BaseException | None]]"
) -> None:
    error = None
    try:
        with display.step(step.name) as report:
            step.work(report)
    except BaseException as raised:
        error = raised
    ended.put((step.name, error))
