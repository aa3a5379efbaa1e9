"""A stack of a fleet: what is deployed there now."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from commands.deployer import Deployer
from commands.errors import FAILED, CommandError
from commands.fleet.fleet_record import FleetRecord
from commands.fleet.versions import Versions, declared_versions, deployed_versions
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from settings import load
from settings.fleet import LoadedWave, Member

THREADS = 8
"""Stacks that are read, or whose records are written, at once."""


@dataclass
class FleetStack:
    """A stack, its state and its record, as of :meth:`read`."""

    member: Member
    deployer: Deployer
    deployed: Versions
    """Versions of the last successful update. Empty before the first one."""
    record: FleetRecord | None = None
    error: str = ""
    """Why the cluster or the state could not be read."""
    error_code: int = 0

    @classmethod
    def of(cls, member: Member) -> "FleetStack":
        """The stack with nothing read yet."""
        prerequisites = Prerequisites(member.settings)
        variables = {**os.environ, **prerequisites.variables()}
        stack = Stack(member.stack, variables)
        return cls(member, Deployer(stack, member.settings, prerequisites, variables), {})

    def read(self, *, has_record: bool = True) -> None:
        """Read the state, and the record in the cluster, which must be that of the last update."""
        self.error, self.error_code = "", 0
        try:
            self.deployer.read()
            self.deployed = deployed_versions(self.deployer.stack)
            if self.deployed and has_record:
                settings, environment = self.member.settings, self.deployer.environment
                self.record = FleetRecord.read(settings, environment)
        except CommandError as error:
            self.error, self.error_code = f"{self.member.stack}: {error}", error.exit_code

    @property
    def target(self) -> Versions:
        """Versions in the stack file, when the fleet was loaded."""
        return declared_versions(self.member.settings)

    def declared(self) -> Versions:
        """Versions in the stack file now: a rollback changes it."""
        return declared_versions(load(self.member.stack))

    def write_record(self, rollout: str) -> None:
        """Record the versions before the update. Before the first one there are none.

        A stack with the same versions in its file as before keeps those that its first update has
        replaced. Raises :class:`CommandError`.
        """
        record, settings = self.record, self.member.settings
        # A new namespace does not exist yet.
        if not self.deployed or settings.namespace.name not in self.deployer.stack.namespaces():
            return
        is_known = record is not None and record.after == self.target
        if record and is_known and self.deployed in (record.before, record.after):
            if record.rollout == rollout:
                return
            self.record = replace(record, rollout=rollout)
        else:
            time = self.deployer.stack.state_time
            self.record = FleetRecord(rollout, self.deployed, self.target, rollout, time)
        self.record.write(settings, self.deployer.environment)

    def moved(self) -> Iterator[tuple[str, str | None]]:
        """Services that the rollout has moved, with the ``VERSION`` that brings each of them back.

        None: their rollback ends the canary. A service whose stack file has another version by now
        was rolled back, or is not deployed yet.
        """
        # The state has changed since the record was written, unless the update was refused.
        if self.record is None or self.deployer.stack.state_time == self.record.state_time:
            return
        for name, before in self.record.before.items():
            after = self.record.after.get(name)
            service = self.member.settings.services.get(name)
            if service is None or after is None or after == before:
                continue
            is_pending = self.deployer.release(service).is_pending("rollback")
            if after != self.target.get(name) and not is_pending:
                continue
            if after["stable"] != before["stable"]:
                yield name, before["stable"]
            elif "canary" in after or is_pending:
                yield name, None


def read_stacks(
    waves: Sequence[LoadedWave], *, refuses: bool = True, has_records: bool = True
) -> list[FleetStack]:
    """Read the stacks of a fleet, in order. Starts nothing; builds the Pulumi CLI if needed.

    Raises :class:`CommandError` if one of them is in another cluster than at its last update.
    Without ``refuses``, such a stack has an error, and the others are read. Without
    ``has_records``, their records are not read.
    """
    stacks = [FleetStack.of(member) for wave in waves for member in wave.members]
    stacks[0].deployer.prerequisites.prepare_cli()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda one: one.read(has_record=has_records), stacks))
    refused = [one.error for one in stacks if one.error and one.error_code != FAILED]
    if refuses and refused:
        raise CommandError("\n".join(refused))
    return stacks


def last_rollout(stacks: Iterable[FleetStack]) -> list[FleetStack]:
    """The stacks of the last rollout of a fleet."""
    recorded = [one for one in stacks if one.record]
    newest = max((one.record.rollout for one in recorded if one.record), default="")
    return [one for one in recorded if one.record and one.record.rollout == newest]


def rollout_of(stacks: Iterable[FleetStack], now: str) -> str:
    """The last rollout, if an update to the stack files continues it; else a new one, ``now``."""
    last = [(one.record, one.target) for one in last_rollout(stacks) if one.record]
    is_continued = bool(last) and all(record.after == target for record, target in last)
    return last[0][0].rollout if is_continued else now
