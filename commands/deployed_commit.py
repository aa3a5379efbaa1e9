"""``make deployed-commit``: commit of the code that the last successful update of a stack deployed.

Printed as an output of a workflow job, ``commit=…``: a rollback deploys with this code.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from commands.errors import FAILED, CommandError, report_errors
from commands.out_option import out_file
from commands.prerequisites import Prerequisites
from commands.pulumi import Stack
from commands.workflow_output import write_output
from settings import load


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the commit; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.deployed_commit", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--out", type=out_file, help="file to append the output to")
    options = parser.parse_args(arguments)
    prerequisites = Prerequisites(load(options.stack))
    prerequisites.prepare_cli()
    stack = Stack(options.stack, {**os.environ, **prerequisites.variables()})
    commit = stack.deployed_commit()
    if commit is None:
        raise CommandError(
            f"{options.stack} was not deployed from a commit of a repository", FAILED
        )
    write_output("commit", commit, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
