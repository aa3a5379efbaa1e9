"""A report for people at a terminal."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.text import Text

from commands.diff.report import SIGNS, Kind, Report, details, title

MOST_LINES = 40
"""Of one object; a new or a deleted one is cut sooner."""
MOST_LINES_OF_ALL = 400
_WHOLE_OBJECT = 8

_STYLES: dict[Kind, tuple[str, str]] = {
    "path": ("  ", "bold"),
    "change": ("  ", ""),
    "remove": ("- ", "red"),
    "add": ("+ ", "green"),
    "context": ("  ", "dim"),
    "place": ("  ", "cyan"),
    "small": ("  ", "dim"),
}
_ACTION_STYLES = {"added": "green", "removed": "red", "changed": "yellow", "renamed": "magenta"}


def show(report: Report, console: Console, whole: Path) -> bool:
    """Print the report; return whether some of it was left out, which ``whole`` has."""
    room = MOST_LINES_OF_ALL
    is_cut = False
    for line in _head(report):
        console.print(line, soft_wrap=True)
    for change in report.comparison.changes:
        console.print(Text(title(change), f"bold {_ACTION_STYLES[change.action]}"), soft_wrap=True)
        most = MOST_LINES if change.action in ("changed", "renamed") else _WHOLE_OBJECT
        lines = list(details(change))
        shown = list(islice(lines, max(0, min(most, room))))
        for line in shown:
            sign, style = _STYLES[line.kind]
            console.print(Text(f"    {sign}{line.text}", style), soft_wrap=True)
        room -= len(shown)
        if len(shown) < len(lines):
            is_cut = True
            console.print(Text(f"    … {len(lines) - len(shown)} more lines", "dim"))
    if is_cut:
        console.print(Text(f"\ncut; the whole is in {whole}", "dim"), soft_wrap=True)
    return is_cut


def plain(report: Report) -> str:
    """The whole report as text."""
    lines = [line.plain for line in _head(report)]
    for change in report.comparison.changes:
        lines.append(title(change))
        lines += [f"    {_STYLES[line.kind][0]}{line.text}" for line in details(change)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _head(report: Report) -> Iterator[Text]:
    yield Text(f"{report.stack}: {report.comparison.totals}", "bold")
    yield Text(report.versions, "dim")
    for note in report.notes:
        yield Text(f"note: {note}")
    if warnings := report.comparison.warnings:
        yield Text("\nLook at these first:", "bold red")
        for warning in warnings:
            yield Text(f"  ! {warning}", "red")
    if report.comparison.changes:
        yield Text(f"\n{'  '.join(f'{sign} {action}' for action, sign in SIGNS.items())}", "dim")
