"""A report as a comment on a pull request."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from commands.diff.comparison import Change
from commands.diff.report import Kind, Report, details, title

MOST_CHARACTERS = 60_000
"""Of the whole comment: GitHub takes 65,536, and who posts it may add a line."""
MOST_WARNINGS = 30
_MOST_OF_ONE = 12_000
_MOST_NAMES = 6_000

_SIGNS: dict[Kind, str] = {
    "path": "  ",
    "change": "! ",
    "remove": "- ",
    "add": "+ ",
    "context": "  ",
    "place": "",
    "small": "# ",
}


def marker(stack: str) -> str:
    """What tells the comment of a stack from others, so that it can be updated in place."""
    return f"<!-- slipway-diff: {stack} -->"


def comment(report: Report, whole: Path) -> tuple[str, bool]:
    """The comment, and whether some was left out of it, which ``whole`` has."""
    text = "\n".join(_head(report))
    room = MOST_CHARACTERS - _MOST_NAMES - len(text)
    changes = list(report.comparison.changes)
    is_cut = False
    while changes:
        section, section_is_cut = _section(changes[0])
        if len(section) > room:
            break
        text += section
        room -= len(section)
        is_cut = is_cut or section_is_cut
        changes.pop(0)
    text += _rest(changes)
    if is_cut or changes:
        text += f"\nCut to fit into a comment; the whole is in `{whole}`.\n"
    return text, is_cut or bool(changes)


def _head(report: Report) -> Iterator[str]:
    yield marker(report.stack)
    yield f"### Rendered manifests of `{report.stack}`: {report.comparison.totals}\n"
    yield f"{report.versions[0].upper()}{report.versions[1:]}.\n"
    for note in report.notes:
        yield f"> [!NOTE]\n> {note}\n"
    warnings = report.comparison.warnings
    if warnings:
        yield "> [!WARNING]"
        for warning in warnings[:MOST_WARNINGS]:
            yield f"> - {_code(warning)}"
        if len(warnings) > MOST_WARNINGS:
            yield f"> - and {len(warnings) - MOST_WARNINGS} more"
        yield "\n"


def _code(text: str) -> str:
    """Text in which nothing is markup, and nobody is mentioned."""
    return f"`` {text.replace('`', chr(39))} ``"


def _section(change: Change) -> tuple[str, bool]:
    lines = [f"{_SIGNS[line.kind]}{line.text}" for line in details(change)]
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > _MOST_OF_ONE:
            break
        kept.append(line)
    body = "\n".join(kept)
    fence = "`" * (max((len(run) for run in re.findall(r"`{3,}", body)), default=2) + 1)
    left_out = len(lines) - len(kept)
    more = f"\n… {left_out} more lines\n" if left_out else ""
    summary = html.escape(title(change))
    return (
        f"<details><summary><code>{summary}</code></summary>\n\n"
        f"{fence}diff\n{body}\n{fence}\n{more}\n</details>\n"
    ), bool(left_out)


def _rest(changes: list[Change]) -> str:
    """The names of those whose details have no room."""
    if not changes:
        return ""
    names = ""
    for number, change in enumerate(changes):
        line = f"- {_code(title(change))}\n"
        if len(names) + len(line) > _MOST_NAMES - 200:
            return f"\n{names}- and {len(changes) - number} more\n"
        names += line
    return f"\n{names}"
