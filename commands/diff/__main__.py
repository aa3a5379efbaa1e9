"""``python -m commands.diff``: changes of a stack's objects in the working tree.

Needs no cluster and no credentials.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from commands.diff import markdown, terminal
from commands.diff.rendering import render_both
from commands.diff.report import Report
from commands.errors import FAILED, CommandError, report_errors
from commands.out_option import out_file
from local import files
from settings import stack_file

FORMATS = ("terminal", "markdown", "json")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the report or write it to a file, and return the exit code."""
    if arguments.format not in FORMATS:
        raise CommandError(f"FORMAT={arguments.format} is not a format: use {', '.join(FORMATS)}")
    report = Report(render_both(arguments.stack, arguments.base))
    full_report = Path("out") / "diff" / f"{arguments.stack}.txt"
    text, is_cut = "", False
    match arguments.format:
        case "json":
            text = json.dumps(report.comparison.as_data(), indent=2) + "\n"
        case "markdown":
            text, is_cut = markdown.comment(report, full_report)
        case _ if arguments.out:
            text = terminal.plain(report)
        case _:
            is_cut = terminal.show(report, Console(), full_report)
    if is_cut:
        files.write(stack_file.PROJECT_FOLDER / full_report, terminal.plain(report))
    if arguments.out:
        files.write(arguments.out, text)
    else:
        sys.stdout.write(text)
    return FAILED if arguments.exit_code and report.comparison.changes else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commands.diff", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--base", default="HEAD", help="branch, tag or commit")
    parser.add_argument("--format", default="terminal", help=" | ".join(FORMATS))
    parser.add_argument("--out", type=out_file, help="file to write; unchanged on an error")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 on changes")
    return parser


@report_errors
def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run(_parser().parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
