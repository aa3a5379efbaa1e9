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

_USAGE_ERROR = 2
_WIDTH = 120
"""Columns where there is no terminal to ask."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: done (`status`: all healthy); 1: `status` found a fault; 2: an error told."""
    given = _parser().parse_args(arguments)
    try:
        return _run(given)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except (OSError, subprocess.SubprocessError) as error:
        # A full disk, a command that hangs: the machine's fault, in its own words.
        print(f"error: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except KeyboardInterrupt:
        print("Interrupted; the next `up` goes on from here.", file=sys.stderr)
        return 130


def _run(given: argparse.Namespace) -> int:
    if given.command == "env":
        for name, value in environment().items():
            print(f"export {name}={shlex.quote(value)}")
        return 0

    # What talks to supervisord and Kubernetes takes longer to import than `env` to run.
    from local.node import Node  # noqa: PLC0415
    from local.progress import Display  # noqa: PLC0415
    from local.status import show  # noqa: PLC0415

    at = Layout()
    node = Node(at, detect(at))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    match given.command:
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
            print(f"What Pulumi knows of its stacks is kept in {at.state}: refresh them.")
        case "status":
            return 0 if show(node, console) else 1
        case "build":
            with Display(console) as display:
                node.build(given.program, display)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m local", description="From a bare Debian machine to what `pulumi up` needs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build what is missing, start what does not run")
    commands.add_parser("images", help="build the images of the observability servers")
    commands.add_parser("down", help="stop everything; data and built tools stay")
    commands.add_parser("status", help="show every part; exit 1 if one is not healthy")
    commands.add_parser("reset", help="stop everything and forget all data; built tools stay")
    commands.add_parser("env", help="print the variables of a shell that uses all this")
    build = commands.add_parser("build", help="build programs by name")
    build.add_argument("program", nargs="+", choices=sorted(RECIPES), help="which")
    return parser


if __name__ == "__main__":
    sys.exit(main())
