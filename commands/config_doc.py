"""``python -m commands.config_doc``: write docs/configuration.md, the reference of all keys."""

import sys
from collections.abc import Iterator

from commands.errors import report_errors
from commands.settings_docs import DEFAULTS, REQUIRED, Key, sections
from local import files
from settings import PROJECT
from settings.schema import EXTENDS, EXTENDS_DESCRIPTION
from settings.stack_file import PROJECT_FOLDER
from settings.yaml_writer import to_yaml_line

FILE = PROJECT_FOLDER / "docs" / "configuration.md"

_HEAD = """\
# Configuration

Reference of all keys of `Pulumi.<stack>.yaml`, generated from `settings/` by `make config-doc`.
Keys that are omitted have their default. Unknown keys and invalid values are errors, before
anything is deployed. Set secrets with `pulumi config set --secret --path <key>`; they are encrypted
in the file: see [secrets](secrets.md).

Spellings that YAML parsers read differently, such as `010`, `1_000`, `1.0`, `yes` or `~`, are
errors too: use decimal numbers without redundant digits, `true`, `false` and `null`, and quote
strings that look like one of these. Aliases and tags are not supported.
"""


_EXTENDS = f"""\
{EXTENDS_DESCRIPTION} See [environments](environments.md#build-on-another-stack-file)."""


def document() -> str:
    """Return the content of the page."""
    extends = (f"## {PROJECT}:{EXTENDS}\n", f"{_EXTENDS}\n")
    return "\n".join(
        [_HEAD, *extends, *(line for section in sections() for line in _section(section))]
    )


def _section(section: Key) -> Iterator[str]:
    yield f"## {section.name}\n"
    yield f"{section.description}\n"
    if section.name == DEFAULTS:  # its keys are those of a service
        return
    yield "| key | type | default | allowed values | description |"
    yield "| --- | --- | --- | --- | --- |"
    for key in _rows(section):
        name = key.path.removeprefix(f"{section.path}.")
        allowed = "" if key.is_secret else key.allowed
        cells = (f"`{name}`", key.type, _default(key), allowed, key.description)
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
    return "" if key.keys else f"`{to_yaml_line(key.default)}`"


@report_errors
def main() -> int:
    """Write the page and return the exit code."""
    files.write(FILE, document())
    print(FILE.relative_to(PROJECT_FOLDER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
