"""``make stacks DELIVERY=gitops``: the stacks with a mode of delivery, as an output of a job."""

import argparse
import json
import sys
from collections.abc import Sequence

from commands.errors import report_errors
from settings import load
from settings.stack_file import PROJECT_FOLDER, stack_files, stack_of

MODES = ("pulumi", "gitops")


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the names; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.gitops.stacks", description=__doc__)
    parser.add_argument("--delivery", required=True, choices=MODES)
    options = parser.parse_args(arguments)
    stacks = [stack_of(file) for file in stack_files(PROJECT_FOLDER)]
    names = [one for one in stacks if load(one).delivery.mode == options.delivery]
    print(f"names={json.dumps(names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
