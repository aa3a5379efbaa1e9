"""``make preview FLEET=…``: previews of all stacks of a fleet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from commands.console import new_console
from commands.engine_events import ENABLES_EVENT_LOG, read_events, resource_changes
from commands.errors import FAILED
from commands.fleet.fleet_stack import read_stacks
from commands.fleet.runner import Runner
from commands.fleet.stack_job import Arguments, StackJob, State
from commands.fleet.versions import describe
from commands.fleet.view import new_view, print_line
from settings.fleet import LoadedWave

PARALLELISM = 8
"""Previews at once. Each is a Pulumi CLI, its providers and a Python program."""
_OPERATIONS = ("create", "update", "replace", "delete", "same")


def preview(fleet: str, waves: Sequence[LoadedWave], logs: Path) -> int:
    """Preview the stacks, print a table, and return the exit code."""
    stacks = read_stacks(waves)
    jobs = [
        StackJob(
            one.member,
            logs / f"{one.member.stack}.log",
            describe(one.deployed, one.target),
            ENABLES_EVENT_LOG,
        )
        for one in stacks
    ]

    def events(job: StackJob) -> Path:
        return (logs / f"{job.stack}.events.json").resolve()

    def command(job: StackJob) -> Sequence[Arguments]:
        options = ("--diff", f"--event-log={events(job)}")
        return [("commands", "preview", "--stack", job.stack, *options)]

    with new_view() as view:
        Runner(view, jobs).run(jobs, State.PREVIEWING, command, PARALLELISM)
    changes = {
        job.stack: {} if job.code else resource_changes(read_events(events(job))) for job in jobs
    }
    console = new_console()
    console.print(_table(jobs, changes))
    failed = [job for job in jobs if job.code]
    for error in (one.error for one in stacks if one.error):
        print_line(console, error)
    for job in failed:
        print_line(console, f"{job.stack} failed: {job.reason}")
    print_line(console, f"{fleet}: the previews are in {logs}")
    return FAILED if failed else 0


def _table(jobs: Sequence[StackJob], changes: Mapping[str, Mapping[str, int]]) -> Table:
    """Changes of each stack. Those that differ from those of most stacks are marked."""
    counts = Counter(tuple(sorted(changes[job.stack].items())) for job in jobs if not job.code)
    usual = dict(counts.most_common(1)[0][0]) if counts else {}
    shown = Table()
    for column in ("wave", "region", "stack", *_OPERATIONS, "versions", ""):
        shown.add_column(column, no_wrap=column != "versions")
    for job in jobs:
        of_stack = changes[job.stack]
        is_unequal = of_stack != usual
        mark = (
            Text("failed", "red") if job.code else Text("differs" if is_unequal else "", "yellow")
        )
        shown.add_row(
            job.member.wave,
            job.member.region or "-",
            job.stack,
            *("-" if job.code else str(of_stack.get(one, 0)) for one in _OPERATIONS),
            Text(job.versions),
            mark,
        )
    return shown
