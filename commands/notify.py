"""``make notify``: notifies the receivers of a stack that a job of a workflow has failed."""

import argparse
import os
import sys
from collections.abc import Sequence

from commands.errors import CommandError, report_errors
from commands.notifications import Notifier
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from settings import load


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Send the event; return the exit code, which is 0 also if a receiver is down."""
    parser = argparse.ArgumentParser(prog="commands.notify", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--text", default="", help="what has failed")
    options = parser.parse_args(arguments)
    if not options.text:
        raise CommandError("TEXT= is empty: use TEXT='what has failed'")
    settings = load(options.stack)
    prerequisites = Prerequisites(settings)
    variables = {**os.environ, **prerequisites.variables()}
    with Notifier(settings, Stack(options.stack, variables), variables) as notifier:
        if not notifier.is_on:
            print(f"no receiver: slipway:notifications is not set in Pulumi.{options.stack}.yaml")
            return 0
        prerequisites.prepare_cli()
        notifier.failed(options.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
