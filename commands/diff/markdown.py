"""Report as a comment on a pull request."""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from commands.diff.comparison import Change
from commands.diff.report import Report, details, title

MAX_CHARACTERS = 60_000
"""GitHub's limit is 65,536; the tool that posts the comment may add to it."""
MAX_WARNINGS = 30
MAX_CHARACTERS_OF_OBJECT = 12_000
MAX_CHARACTERS_OF_TITLES = 6_000
"""Of the objects whose details do not fit."""


def comment(report: Report, full_report: Path) -> tuple[str, bool]:
    """The comment, and True if lines were omitted, which ``full_report`` will have."""
    text = "\n".join(_summary(report))
    limit = MAX_CHARACTERS - MAX_CHARACTERS_OF_TITLES
    changes = report.comparison.changes
    is_cut = False
    for number, change in enumerate(changes):
        section, section_is_cut = _section(change)
        if len(text) + len(section) > limit:
            text += _titles(changes[number:])
            is_cut = True
            break
        text += section
        is_cut |= section_is_cut
    if is_cut:
        text += f"\nLines are omitted; the full report is in `{full_report}`.\n"
    return text, is_cut


def _summary(report: Report) -> Iterator[str]:
    yield f"### Rendered manifests of `{report.stack}`: {report.totals}\n"
    yield f"{report.revisions[0].upper()}{report.revisions[1:]}.\n"
    for note in report.notes:
        yield f"> [!NOTE]\n> {note}\n"
    if report.warnings:
        yield "> [!WARNING]"
        yield from (f"> - {_code(warning)}" for warning in report.warnings[:MAX_WARNINGS])
        if len(report.warnings) > MAX_WARNINGS:
            yield f"> - and {len(report.warnings) - MAX_WARNINGS} more"
        yield "\n"


def _code(text: str) -> str:
    """Inline code, in which GitHub renders no markup and no mentions."""
    return f"`` {text.replace('`', chr(39))} ``"


def _section(change: Change) -> tuple[str, bool]:
    """Collapsed details of a change, and True if lines were omitted."""
    lines = [f"{line.sign} {line.text}" for line in details(change)]
    shown: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > MAX_CHARACTERS_OF_OBJECT:
            break
        shown.append(line)
    body = "\n".join(shown)
    fence = "`" * (max((len(run) for run in re.findall(r"`{3,}", body)), default=2) + 1)
    omitted = len(lines) - len(shown)
    more = f"\n… {omitted} more lines\n" if omitted else ""
    return (
        f"<details><summary><code>{html.escape(title(change))}</code></summary>\n\n"
        f"{fence}diff\n{body}\n{fence}\n{more}\n</details>\n"
    ), bool(omitted)


def _titles(changes: Sequence[Change]) -> str:
    """Titles of the changes whose details do not fit."""
    text = "\n"
    for number, change in enumerate(changes):
        line = f"- {_code(title(change))}\n"
        if len(text) + len(line) > MAX_CHARACTERS_OF_TITLES - 200:
            return f"{text}- and {len(changes) - number} more\n"
        text += line
    return text
