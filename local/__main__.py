"""`python -m local up|images|down|status|reset|build|env`."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console

from local.detection import detect
from local.environment import environment
from local.errors import LocalError
from local.layout import Layout
from local.recipes import RECIPES

_ERROR = 2
_WIDTH = 120
"""Columns of the output where there is no terminal."""

_COMMANDS = {
    "up": "build what is missing, start what does not run",
    "images": "build the images of the observability servers",
    "down": "stop everything; keep data and built programs",
    "status": "show every part; exit code 1 if one is not healthy",
    "reset": "stop everything and delete the cluster; keep built programs and images",
    "env": "print the environment variables for pulumi, kubectl and buildx",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: success (`status`: all healthy), 1: `status` found a fault, 2: error."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (LocalError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _ERROR
    except KeyboardInterrupt:
        print("Interrupted; the next `up` continues.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    if options.command == "env":
        for name, value in environment().items():
            print(f"export {name}={shlex.quote(value)}")
        return 0

    # Importing these takes longer than `env` takes to run.
    from local.node import Node  # noqa: PLC0415
    from local.progress import Display  # noqa: PLC0415
    from local.status import show  # noqa: PLC0415

    paths = Layout()
    node = Node(paths, detect(paths))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    match options.command:
        case "up":
            with Display(console) as display:
                node.up(display)
        case "images":
            with Display(console) as display:
                node.images(display)
        case "down":
            node.down()
        case "reset":
            node.reset()
            print(f"The state of the Pulumi stacks in {paths.state} is kept: run `pulumi refresh`.")
        case "status":
            return 0 if show(node, console) else 1
        case "build":
            with Display(console) as display:
                node.build(options.program, display)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m local", description="Provides what `pulumi up` needs on a bare Debian machine."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, description in _COMMANDS.items():
        commands.add_parser(name, help=description)
    build = commands.add_parser("build", help="build programs by name")
    build.add_argument("program", nargs="+", choices=sorted(RECIPES), help="name of a program")
    return parser


if __name__ == "__main__":
    sys.exit(main())
