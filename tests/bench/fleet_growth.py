"""``python -m tests.bench.fleet_growth 7 50 500``: rollouts of fleets with so many stacks.

The commands of the fleet are the real ones, with a state, a stack file and a kubeconfig context for
each stack. Scripts stand for kubectl, and for the update of a stack, which takes 10 seconds and no
CPU time: what is left is the work of the commands.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.unit.commands.fleet.conftest import FakeFleet

UPDATE_SECONDS = 10
PARALLELISM = (8, 32)
EARLY_PERCENT = 10
"""Of the stacks are in the second wave. The first wave has one."""


def write(root: Path, count: int, parallelism: int) -> tuple[FakeFleet, Sequence[Sequence[str]]]:
    """Write the files of a fleet whose stacks run 1.0.0 and declare 1.1.0; return its waves."""
    fleet, names = FakeFleet(root), [f"stack-{number:03}" for number in range(count)]
    for name in names:
        fleet.add(name)
    second = 1 + max(1, count * EARLY_PERCENT // 100)
    waves = [names[:1], names[1:second], names[second:]]
    lines = [f"  - {{name: wave-{n}, stacks: [{', '.join(of)}]}}\n" for n, of in enumerate(waves)]
    fleet.write(f"prod:\n  parallelism: {parallelism}\n  waves:\n{''.join(lines)}")
    fleet.behave(**{name: {"seconds": UPDATE_SECONDS} for name in names})
    fleet.declare("1.1.0", *names)
    return fleet, waves


def measure(count: int, parallelism: int) -> Sequence[str]:
    """Deploy a new version to a fleet; return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fleet, waves = write(root, count, parallelism)
        environment = {
            **os.environ,
            "PATH": f"{fleet.programs()}:{os.environ['PATH']}",
            "SLIPWAY_HOME": f"{folder}/home",
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
        }
        started = time.time()
        with (root / "output").open("wb") as output:
            process = subprocess.Popen(
                fleet.script("up"), cwd=root, env=environment, stdout=output, stderr=output
            )
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, (root / "output").read_text()
        ended, events = time.time(), fleet.events()
    return [
        str(count),
        str(parallelism),
        f"{min(one['time'] for one in events) - started:.1f} s",
        ", ".join(f"{_seconds(events, of):.0f} s" for of in waves),
        f"{ended - started:.0f} s",
        f"{usage.ru_utime + usage.ru_stime:.0f} s",
        f"{usage.ru_maxrss / 1024:.0f} MiB",
    ]


def _seconds(events: Sequence[dict[str, Any]], stacks: Sequence[str]) -> float:
    times = [one["time"] for one in events if one["stack"] in stacks]
    return max(times) - min(times)


def main() -> int:
    """Measure fleets with as many stacks as the arguments say, and print a table."""
    table = Table()
    for column in ("stacks", "parallelism", "checks", "waves", "all", "CPU time", "memory"):
        table.add_column(column, no_wrap=True)
    for count, parallelism in product(map(int, sys.argv[1:]), PARALLELISM):
        table.add_row(*measure(count, parallelism))
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
