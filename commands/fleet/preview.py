"""``make preview FLEET=…``: previews of all stacks of a fleet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import SubprocessError

from rich.table import Table
from rich.text import Text

from commands.console import new_console
from commands.engine_events import ENABLES_EVENT_LOG, read_events, resource_changes
from commands.errors import FAILED, CommandError
from commands.fleet import preview_process
from commands.fleet.fleet_stack import THREADS, FleetStack, read_stacks
from commands.fleet.runner import Runner
from commands.fleet.stack_job import Command, StackJob, State
from commands.fleet.versions import describe
from commands.fleet.view import new_view, print_line
from local.errors import LocalError
from settings import SettingsError
from settings.fleet import LoadedWave

PARALLELISM = 8
"""Previews at once. Each is a Pulumi CLI, its providers and a Python program."""
_OPERATIONS = ("create", "update", "replace", "delete", "same")


def preview(fleet: str, waves: Sequence[LoadedWave], logs: Path) -> int:
    """Preview the stacks, print a table, and return the exit code.

    The stacks are checked in this process, and one other process imports the program: this takes
    less time than to do so for each stack.
    """
    preview_process.import_program()
    stacks = read_stacks(waves, has_records=False)
    jobs = [_job(one, logs) for one in stacks]

    def events(job: StackJob) -> Path:
        return (logs / f"{job.stack}.events.json").resolve()

    with ThreadPoolExecutor(THREADS) as pool:
        arguments = dict(pool.map(_check, stacks, jobs))

    def command(job: StackJob) -> Sequence[Command]:
        options = ("--non-interactive", "--diff", f"--event-log={events(job)}")
        return [(*arguments[job.stack], *options)]

    with new_view() as view:
        checked = [job for job in jobs if not job.code]
        Runner(view, jobs).run(checked, State.PREVIEWING, command, PARALLELISM)
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


def _job(stack: FleetStack, logs: Path) -> StackJob:
    name = stack.member.stack
    return StackJob(
        stack.member,
        logs / f"{name}.log",
        describe(stack.deployed, stack.target),
        {**stack.deployer.stack.environment, **ENABLES_EVENT_LOG},
        preview_process.launch(name),
    )


def _check(stack: FleetStack, job: StackJob) -> tuple[str, Sequence[str]]:
    """Check a stack as ``make preview`` does; return its name and the arguments of Pulumi."""
    arguments: Sequence[str] = ()
    deployer = stack.deployer
    deployer.stack.output = job.log
    try:
        deployer.prerequisites.check_sops(job.stack)
        arguments = deployer.check_preview()
    except (CommandError, SettingsError, LocalError, OSError, SubprocessError) as error:
        job.fail(str(error))
    return job.stack, arguments


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
