"""``make history``: the releases of the services, as a table."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from commands.console import WIDE, new_console
from commands.release_records import ReleaseRecord, ReleaseRecords

DIGEST_LENGTH = 12
"""Hexadecimal digits of a digest; Docker shows as many."""
_RESULTS = {"rolledBack": "rolled back"}
_STYLES = {"promoted": "green", "rolledBack": "red", "failed": "red", "running": "cyan"}


def show(records: ReleaseRecords, services: Sequence[str]) -> None:
    """Print the releases of these services, newest first."""
    console = new_console(WIDE)
    found = {service: records.of(service) for service in services}
    if not any(found.values()):
        console.print("no release is recorded yet", highlight=False)
        return
    table = Table()
    for column in ("service", "version", "digest", "strategy", "started", "ended", "result"):
        table.add_column(column, no_wrap=True)
    table.add_column("decided by", no_wrap=True)
    table.add_column("why", overflow="fold")
    for service, releases in found.items():
        for one in releases:
            table.add_row(service, *_cells(one))
    console.print(table)


def _cells(record: ReleaseRecord) -> Sequence[Text]:
    result = _RESULTS.get(record.result, record.result)
    return (
        *map(Text, _texts(record)),
        Text(result, _STYLES[record.result]),
        Text(record.decided_by or "-"),
        Text(record.reason or "-"),
    )


def _texts(record: ReleaseRecord) -> Sequence[str]:
    return (
        record.version,
        (record.digest or "").rpartition(":")[2][:DIGEST_LENGTH] or "-",
        record.strategy,
        _local_time(record.started),
        _local_time(record.ended) if record.ended else "-",
    )


def _local_time(time: str) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"
