"""``python -m commands.diff``: what the working tree changes in a stack's objects."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from commands.diff import markdown, terminal
from commands.diff.rendering import render_both
from commands.diff.report import Report
from commands.errors import FAILED, CommandError, report_errors
from local import files
from settings import stack_file

FORMATS = ("terminal", "markdown", "json")


def run(arguments: argparse.Namespace) -> int:
    """Compare, show, and return the exit code. Raises :class:`CommandError`."""
    if arguments.format not in FORMATS:
        raise CommandError(f"FORMAT={arguments.format} is not a format: use {', '.join(FORMATS)}")
    report = Report.of(render_both(arguments.stack, arguments.base))
    whole = Path("out") / "diff" / f"{arguments.stack}.txt"
    text, is_cut = "", False
    match arguments.format:
        case "json":
            text = json.dumps(report.comparison.listed(), indent=2) + "\n"
        case "markdown":
            text, is_cut = markdown.comment(report, whole)
        case _ if arguments.out:
            text = terminal.plain(report)
        case _:
            is_cut = terminal.show(report, Console(), whole)
    if is_cut:
        files.write(stack_file.PROJECT_FOLDER / whole, terminal.plain(report))
    if arguments.out:
        files.write(arguments.out, text)
    else:
        sys.stdout.write(text)
    return FAILED if arguments.exit_code and report.comparison.changes else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commands.diff", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--base", default="HEAD", help="a branch, a tag or a commit")
    parser.add_argument("--format", default="terminal", help=" | ".join(FORMATS))
    parser.add_argument("--out", type=Path, help="a file, replaced in one step")
    parser.add_argument("--exit-code", action="store_true", help="1 where objects change")
    return parser


@report_errors
def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(_parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
