"""``make up FLEET=…``: deploys the stacks of a fleet, wave by wave."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from commands.console import new_console
from commands.errors import FAILED, UNDECIDED, CommandError
from commands.fleet.fleet_stack import THREADS, FleetStack, read_stacks, rollout_of
from commands.fleet.runner import Runner
from commands.fleet.stack_job import Command, StackJob, State, module
from commands.fleet.versions import describe
from commands.fleet.view import View, new_view, print_line, table
from commands.follow import format_duration
from settings import SettingsError
from settings.errors import suggestion
from settings.fleet import LoadedWave


class Rollout:
    """Updates of the stacks of a fleet."""

    def __init__(
        self,
        fleet: str,
        waves: Sequence[LoadedWave],
        stacks: Sequence[FleetStack],
        logs: Path,
        *,
        rollout: str,
        is_forced: bool = False,
    ) -> None:
        self._fleet = fleet
        self._waves = waves
        self._stacks = {one.member.stack: one for one in stacks}
        self._logs = logs
        self._is_forced = is_forced
        self._rollout = rollout
        self._settled: set[str] = set()
        self._jobs = {
            name: StackJob(one.member, logs / f"{name}.log", describe(one.deployed, one.target))
            for name, one in self._stacks.items()
        }

    def run(self, view: View) -> int:
        """Deploy the waves, print what is where, and return the exit code."""
        failed: LoadedWave | None = None
        jobs = [*self._jobs.values()]
        runner = Runner(view, jobs)
        try:
            with view:
                for index, wave in enumerate(self._waves):
                    if index and (seconds := self._waves[index - 1].pause_seconds):
                        text = f"pause of {format_duration(seconds)} before wave {wave.name}"
                        runner.wait(seconds, text)
                    if self._deploy(wave, runner) > wave.max_failed:
                        failed = wave
                        break
        except KeyboardInterrupt:
            self._settle(jobs)
            self._print_result("interrupted", None)
            return FAILED
        if failed is None:
            unfinished = [job for job in jobs if job.code]
            result = f"{len(jobs) - len(unfinished)} of {len(jobs)} stacks are deployed"
            self._print_result(result, None)
            return 0
        self._print_result(self._failure(failed), failed)
        codes = {job.code for job in self._of(failed) if job.code}
        return UNDECIDED if codes == {UNDECIDED} else FAILED

    def _deploy(self, wave: LoadedWave, runner: Runner) -> int:
        """Update the stacks of a wave, and observe them. Return how many have failed."""
        jobs, start = self._of(wave), time.time()
        recorded = self._record(jobs)
        runner.run(recorded, State.UPDATING, self._update, wave.parallelism, wave.max_failed)
        self._settle(jobs)
        # Those that have failed would end the wave in any case.
        is_passed = sum(job.code != 0 for job in jobs) <= wave.max_failed
        if wave.gate_seconds and is_passed:
            observed = [job for job in jobs if job.state is State.DONE]

            def observe(job: StackJob) -> Sequence[Command]:
                record = self._stacks[job.stack].record
                since = record.started_seconds if record else start
                options = (f"--seconds={wave.gate_seconds}", f"--since={since}")
                return [module("commands.fleet.slo_gate", "--stack", job.stack, *options)]

            runner.run(observed, State.OBSERVING, observe, len(observed))
        return sum(job.code != 0 for job in jobs)

    def _update(self, job: StackJob) -> Sequence[Command]:
        force = ["--force=1"] if self._is_forced else []
        return [module("commands", "up", "--stack", job.stack, *force)]

    def _record(self, jobs: Sequence[StackJob]) -> list[StackJob]:
        """Record the versions before the update; return the stacks where that has succeeded."""

        def write(job: StackJob) -> bool:
            stack = self._stacks[job.stack]
            try:
                if stack.error:
                    raise CommandError(stack.error)
                stack.write_record(self._rollout)
            except CommandError as error:
                job.fail(str(error))
            return not job.code

        with ThreadPoolExecutor(THREADS) as pool:
            written = [*pool.map(write, jobs)]
        return [job for job, is_written in zip(jobs, written, strict=True) if is_written]

    def _settle(self, jobs: Sequence[StackJob]) -> None:
        """Read which versions the stacks have after updates that have not succeeded."""
        for job in jobs:
            if not job.code or not job.log.exists() or job.stack in self._settled:
                continue
            self._settled.add(job.stack)
            stack = self._stacks[job.stack]
            before = stack.record.before if stack.record else {}
            state_time = stack.deployer.stack.state_time
            stack.read()
            job.versions = describe(stack.deployed)
            with suppress(SettingsError):
                if stack.declared() == before != stack.target:
                    job.state = State.ROLLED_BACK
            is_untouched = stack.deployer.stack.state_time == state_time
            if job.state is State.UNDECIDED and is_untouched:
                job.state = State.REFUSED

    def _of(self, wave: LoadedWave) -> list[StackJob]:
        return [self._jobs[member.stack] for member in wave.members]

    def _failure(self, wave: LoadedWave) -> str:
        jobs = self._of(wave)
        count = sum(job.code != 0 for job in jobs)
        return (
            f"wave {wave.name} failed: {count} of {len(jobs)} stacks, and maxFailed is "
            f"{wave.max_failed}"
        )

    def _print_result(self, result: str, failed: LoadedWave | None) -> None:
        for job in self._jobs.values():
            if job.state is State.WAITING:
                job.versions = describe(self._stacks[job.stack].deployed)
        console = new_console()
        console.print(table([*self._jobs.values()]))
        for job in self._jobs.values():
            if job.reason:
                print_line(console, f"{job.stack} {job.state.value}: {job.reason}")
        print_line(console, f"{self._fleet}: {result}; the logs are in {self._logs}")
        for line in self._next_commands(failed):
            print_line(console, line)

    def _next_commands(self, failed: LoadedWave | None) -> Iterator[str]:
        jobs = self._jobs.values()
        if all(job.state is State.DONE for job in jobs):
            return
        up = f"make up FLEET={self._fleet}"
        if untouched := [job.stack for job in jobs if job.state is State.WAITING]:
            yield f"not touched: {', '.join(untouched)}"
        yield f"retry all waves: {up}"
        names = [wave.name for wave in self._waves]
        if failed and (later := names[names.index(failed.name) + 1 :]):
            yield f"continue with the next wave: {up} FROM={later[0]}"
        yield f"roll back the updated stacks: make rollback FLEET={self._fleet}"


def waves_from(waves: Sequence[LoadedWave], name: str) -> Sequence[LoadedWave]:
    """The waves from one of them on; all without a name. Raises :class:`CommandError`."""
    names = [wave.name for wave in waves]
    if name and name not in names:
        raise CommandError(f"FROM={name} is not a wave: {suggestion(name, names)}")
    return waves[names.index(name) :] if name else waves


def up(
    fleet: str, waves: Sequence[LoadedWave], logs: Path, *, first: str = "", is_forced: bool = False
) -> int:
    """Deploy a fleet, from the wave ``first`` on; return the exit code."""
    deployed = waves_from(waves, first)
    stacks = read_stacks(waves)
    names = {member.stack for wave in deployed for member in wave.members}
    rollout = Rollout(
        fleet,
        deployed,
        [one for one in stacks if one.member.stack in names],
        logs,
        # Of all stacks, also those of the waves before the first one.
        rollout=rollout_of(stacks, datetime.now(UTC).isoformat(timespec="milliseconds")),
        is_forced=is_forced,
    )
    return rollout.run(new_view())
