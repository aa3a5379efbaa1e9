"""Runs the commands of several stacks at once."""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from commands.fleet.stack_job import Command, StackJob, State
from commands.fleet.view import View

POLL_SECONDS = 0.2


class Runner:
    """Runs jobs and shows all jobs of the fleet in ``view``."""

    def __init__(self, view: View, jobs: Sequence[StackJob]) -> None:
        self._view = view
        self._jobs = jobs

    def run(
        self,
        jobs: Iterable[StackJob],
        state: State,
        commands: Callable[[StackJob], Sequence[Command]],
        parallelism: int,
        max_failed: int | None = None,
    ) -> None:
        """Run the commands of each job, at most ``parallelism`` jobs at once.

        No further job starts after more than ``max_failed`` have failed. ``None``: all start.
        An interrupt ends the commands, waits for them, and is raised again.
        """
        waiting, running = deque(jobs), list[StackJob]()
        failed = 0
        try:
            while waiting or running:
                while waiting and len(running) < parallelism:
                    job = waiting.popleft()
                    job.start(state, commands(job))
                    running.append(job)
                self._view.show(self._jobs)
                time.sleep(POLL_SECONDS)
                ended = [job for job in running if job.poll()]
                running = [job for job in running if job not in ended]
                failed += sum(job.code != 0 for job in ended)
                if max_failed is not None and failed > max_failed:
                    waiting.clear()
            self._view.show(self._jobs)
        except KeyboardInterrupt:
            self._end(running)
            raise

    def wait(self, seconds: float, reason: str) -> None:
        """Wait, and show why."""
        self._view.note(reason)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._view.show(self._jobs)
            time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))

    def _end(self, running: Sequence[StackJob]) -> None:
        # A second Ctrl-C would leave the commands running.
        handlers = {one: signal.signal(one, signal.SIG_IGN) for one in _SIGNALS}
        try:
            self._view.note("ending the commands; Pulumi saves the state of each stack first")
            for job in running:
                job.interrupt()
            for job in running:
                job.wait()
            self._view.show(self._jobs)
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
