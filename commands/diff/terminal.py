"""Report for a terminal."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from commands.diff.comparison import Action
from commands.diff.report import SIGNS, Report, Sign, details, title

MAX_LINES = 400
MAX_LINES_OF_CHANGED_OBJECT = 40
MAX_LINES_OF_WHOLE_OBJECT = 8
"""Of an added or a removed object."""

_LINE_STYLES: dict[Sign, str] = {"+": "green", "-": "red", "@@": "cyan", "#": "dim"}
_TITLE_STYLES: dict[Action, str] = {
    "added": "bold green",
    "removed": "bold red",
    "changed": "bold yellow",
    "renamed": "bold magenta",
}


def show(report: Report, console: Console, full_report: Path | None = None) -> bool:
    """Print the report; with ``full_report``, omit lines that this file will have.

    Returns True if lines were omitted.
    """

    def print_line(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    _show_summary(report, print_line)
    remaining = MAX_LINES
    is_cut = False
    for change in report.comparison.changes:
        print_line(title(change), _TITLE_STYLES[change.action])
        lines = list(details(change))
        limit = MAX_LINES_OF_CHANGED_OBJECT if change.fields else MAX_LINES_OF_WHOLE_OBJECT
        shown = lines[: min(limit, remaining)] if full_report else lines
        for line in shown:
            sign = " " if line.sign in "!#" else line.sign
            print_line(f"    {sign} {line.text}", _LINE_STYLES.get(line.sign, ""))
        remaining -= len(shown)
        if len(shown) < len(lines):
            is_cut = True
            print_line(f"    … {len(lines) - len(shown)} more lines", "dim")
    if is_cut:
        print_line(f"\nlines are omitted; the full report is in {full_report}", "dim")
    return is_cut


def plain(report: Report) -> str:
    """The full report without styles."""
    out = StringIO()
    show(report, Console(file=out, force_terminal=False))
    return out.getvalue()


def _show_summary(report: Report, print_line: Callable[..., None]) -> None:
    print_line(f"{report.stack}: {report.totals}", "bold")
    print_line(report.revisions, "dim")
    for note in report.notes:
        print_line(f"note: {note}")
    if report.warnings:
        print_line("\nRisky changes:", "bold red")
    for warning in report.warnings:
        print_line(f"  ! {warning}", "red")
    if report.comparison.changes:
        print_line(f"\n{'  '.join(f'{sign} {action}' for action, sign in SIGNS.items())}", "dim")
