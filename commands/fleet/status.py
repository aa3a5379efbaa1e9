"""``make status FLEET=…``: versions, weights, pods and the last release of each stack."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.table import Table
from rich.text import Text

from commands import status as stack_status
from commands.console import WIDE, new_console
from commands.errors import FAILED, CommandError
from commands.fleet.fleet_stack import THREADS, FleetStack, read_stacks
from commands.fleet.view import print_line
from settings.fleet import LoadedWave

_SHOWN = 5
"""Columns of ``make status``: service, track, version, traffic, ready."""


def status(fleet: str, waves: Sequence[LoadedWave]) -> int:
    """Print a table of the tracks of all stacks; return the exit code."""
    stacks = read_stacks(waves, refuses=False)
    with ThreadPoolExecutor(THREADS) as pool:
        found = [*pool.map(_rows, stacks)]
    table = Table(title=fleet, title_justify="left")
    columns = ("wave", "region", "stack", "service", "track", "version", "traffic", "ready")
    for column in (*columns, "last release"):
        table.add_column(column, no_wrap=column != "last release")
    for one, rows in zip(stacks, found, strict=True):
        for row in rows or [("not deployed", "-", "-", "-", "-", "-")]:
            member = one.member
            table.add_row(member.wave, member.region or "-", member.stack, *map(Text, row))
    console = new_console(WIDE)
    console.print(table)
    errors = [one.error for one in stacks if one.error]
    for error in errors:
        print_line(console, error)
    return FAILED if errors else 0


def _rows(stack: FleetStack) -> list[Sequence[str]]:
    try:
        rows = [] if stack.error or not stack.deployed else [*_read_rows(stack)]
    except CommandError as error:
        stack.error = f"{stack.member.stack}: {error}"
        rows = []
    return [("not readable", "-", "-", "-", "-", "-")] if stack.error else rows


def _read_rows(stack: FleetStack) -> Iterator[Sequence[str]]:
    deployer = stack.deployer
    states = deployer.progressive_releases().read(deployer.settings.services.values())
    services = deployer.stack.services()
    outputs = {"namespace": stack.member.settings.namespace.name, "services": services}
    context = deployer.settings.cluster.context
    last = {name: _last_release(stack, name) for name in services}
    for row in stack_status.rows(outputs, deployer.environment, context, states):
        yield *row[:_SHOWN], last[row[0]]


def _last_release(stack: FleetStack, service: str) -> str:
    newest = next(iter(stack.deployer.records.of(service)), None)
    if newest is None:
        return "-"
    result = {"rolledBack": "rolled back"}.get(newest.result, newest.result)
    return f"{newest.version} {result} {newest.ended or newest.started}"
