"""``make up|preview|rollback|status FLEET=…``: commands on all stacks of a fleet.

Each stack is deployed by the command on one stack, in a process of its own.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from commands.errors import FAILED, CommandError, report_errors
from commands.fleet.preview import preview
from commands.fleet.rollback import rollback
from commands.fleet.rollout import up
from commands.fleet.status import status
from commands.make_variables import parse_flag
from commands.stack_lock import hold_lock
from settings.fleet import load_fleet
from settings.project import project_name

COMMANDS = ("up", "preview", "rollback", "status")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="commands.fleet", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = subparsers.add_parser(name)
        command.add_argument("--fleet", required=True)
        command.add_argument("--stack", default="")
        if name == "up":
            command.add_argument("--force", default="")
            command.add_argument("--from", dest="first", default="")
    return parser.parse_args(arguments)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    options = _parse(arguments)
    fleet, command = options.fleet, options.command
    if options.stack:
        raise CommandError(
            f"FLEET={fleet} and STACK={options.stack}: use one of them; a fleet has several stacks"
        )
    is_forced = parse_flag("FORCE", getattr(options, "force", ""))
    waves = load_fleet(fleet, check_sources=command in ("up", "preview"))
    logs = Path("out") / "fleet" / fleet / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{command}"
    # A process that is terminated ends its children as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if command == "status":
            return status(fleet, waves)
        if command == "preview":
            return preview(fleet, waves, logs)
        with hold_lock(f"{project_name()}-fleet-{fleet}", timeout=0):
            if command == "rollback":
                return rollback(fleet, waves, logs)
            return up(fleet, waves, logs, first=options.first, is_forced=is_forced)
    except KeyboardInterrupt:
        raise CommandError(f"{command} of {fleet} was interrupted", FAILED) from None


if __name__ == "__main__":
    sys.exit(main())
