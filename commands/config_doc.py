"""``python -m commands.config_doc``: docs/configuration.md, the table of every key."""

import sys
from collections.abc import Iterator

from commands.errors import report_errors
from commands.keys import REQUIRED, Key, on_one_line, sections
from commands.stack_file import PROJECT
from local import files

FILE = PROJECT / "docs" / "configuration.md"

_HEAD = """\
# Configuration

Every key of `Pulumi.<stack>.yaml`, made from `settings/` by `make config-doc`. A key that is left
out has its default; a value out of bounds is an error that names the key, before anything is
touched. Secrets are set with `pulumi config set --secret --path <key>` and stand encrypted in the
file: see [secrets](secrets.md).
"""


def document() -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for section in sections() for line in _section(section))])


def _section(section: Key) -> Iterator[str]:
    yield f"## {section.name}\n"
    yield f"{section.meaning}\n"
    yield "| key | type | default | allowed | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for key in _rows(section):
        name = key.path.removeprefix(f"{section.path}.")
        bounds = "" if key.is_secret else key.bounds
        cells = (f"`{name}`", key.type, _default(key), bounds, key.meaning)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _rows(section: Key) -> Iterator[Key]:
    for key in section.keys:
        yield key
        yield from _rows(key)


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "required"
    if key.default is None:
        return "none"
    return "" if key.keys else f"`{on_one_line(key.default)}`"


@report_errors
def main() -> int:
    """Write the page; return the exit code."""
    files.write(FILE, document())
    print(FILE.relative_to(PROJECT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
