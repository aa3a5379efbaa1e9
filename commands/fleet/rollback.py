"""``make rollback FLEET=…``: rolls back the stacks that the last rollout has updated."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from commands.console import new_console
from commands.errors import FAILED, CommandError
from commands.fleet.fleet_stack import FleetStack, last_rollout, read_stacks
from commands.fleet.runner import Runner
from commands.fleet.stack_job import Command, StackJob, State, module
from commands.fleet.versions import describe
from commands.fleet.view import new_view, print_line, table
from settings.fleet import LoadedWave


def rollback(fleet: str, waves: Sequence[LoadedWave], logs: Path) -> int:
    """Roll the updated stacks back, the last wave first; return the exit code.

    A stack that fails does not stop the others.
    """
    stacks = read_stacks(waves, refuses=False)
    unread = [one.error for one in stacks if one.error]
    last = last_rollout(stacks)
    _check_unread(stacks, last)
    commands = {one.member.stack: found for one in last if (found := _commands(one))}
    jobs = {one.member.stack: _job(one, logs) for one in last if one.member.stack in commands}
    _run(waves, jobs, commands)
    failed = [job for job in jobs.values() if job.state is not State.DONE]
    console = new_console()
    if jobs:
        console.print(table([*jobs.values()]))
    for error in (*unread, *map(_failure, failed)):
        print_line(console, error)
    _print_result(console, fleet, jobs, logs)
    if failed or unread:
        print_line(console, f"try again: make rollback FLEET={fleet}")
        return FAILED
    return 0


def _check_unread(stacks: Sequence[FleetStack], last: Sequence[FleetStack]) -> None:
    """Raise :class:`CommandError` if a stack that cannot be read may have a newer rollout."""
    known = [one.record.after for one in last if one.record]
    others = [one.error for one in stacks if one.error and one.target not in known]
    if known and others:
        reason = (
            "the stack file has other versions than the last rollout that was found, which may not "
            "be the last one: roll back single stacks by `make rollback STACK=…`"
        )
        raise CommandError("\n".join([*others, reason]), FAILED)


def _failure(job: StackJob) -> str:
    return ": ".join(filter(None, (f"{job.stack} {job.state.value}", job.reason)))


def _commands(stack: FleetStack) -> Sequence[Command]:
    name = stack.member.stack
    return [
        module(
            *("commands", "rollback", "--stack", name, "--service", service),
            *(["--version", version] if version else []),
        )
        for service, version in stack.moved()
    ]


def _job(stack: FleetStack, logs: Path) -> StackJob:
    name = stack.member.stack
    before = stack.record.before if stack.record else {}
    return StackJob(stack.member, logs / f"{name}.log", describe(stack.target, before))


def _run(
    waves: Sequence[LoadedWave],
    jobs: Mapping[str, StackJob],
    commands: Mapping[str, Sequence[Command]],
) -> None:
    # The states say which stacks are not rolled back after an interrupt.
    with suppress(KeyboardInterrupt), new_view() as view:
        runner = Runner(view, [*jobs.values()])
        for wave in reversed(waves):
            of_wave = [jobs[one.stack] for one in wave.members if one.stack in jobs]
            runner.run(
                of_wave, State.ROLLING_BACK, lambda job: commands[job.stack], wave.parallelism
            )


def _print_result(console: Console, fleet: str, jobs: Mapping[str, StackJob], logs: Path) -> None:
    if not jobs:
        print_line(console, f"{fleet}: nothing to roll back: the last rollout updated no stack")
        return
    done = [name for name, job in jobs.items() if job.state is State.DONE]
    count = f"{len(done)} of {len(jobs)} updated stacks are rolled back"
    print_line(console, f"{fleet}: {count}; the logs are in {logs}")
    if done:
        files = " ".join(f"Pulumi.{name}.yaml" for name in done)
        print_line(console, f"commit {files}: each has the version that serves again")
