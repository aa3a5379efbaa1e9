"""``python -m commands.new_env``: the file of a new stack, made from that of another.

Every key is there with its meaning: what the other stack sets has its value, the rest stands
commented out with its default.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from commands import stack_file
from commands.errors import CommandError, report_errors
from commands.keys import REQUIRED, Key, on_one_line, sections
from local import files
from settings import PROJECT, load
from settings.stack_file import read

_NAME = r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
_ALLOWED = "at most 40 of a-z, 0-9 and -, beginning with a letter"
_OWN = ("slipway:cluster.context", "slipway:namespace.name", "slipway:routing.host")
"""What two environments must not share, or share only on purpose."""
_MADE = {
    "slipway:network.monitoringNamespace": "monitoring",
    "slipway:observability.nodeNamespace": "monitoring-node",
}
"""Namespaces that a stack with servers of its own makes, with their defaults."""
_WIDTH = 100
_HOW_TO_SET = "Encrypted: set it with `pulumi config set --secret --path`."
ABSENT: Any = object()
"""What a stack file does not set; it may also set `null`."""


@dataclass
class Environment:
    """A new stack's settings, and what a person should know of them."""

    values: Mapping[str, Any]
    """By section."""
    replaced: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Keys of providers."""


def derive(name: str, source: str, values: Mapping[str, Any]) -> Environment:
    """The settings of ``name``, from those of ``source``: names of its own, and no secrets.

    A secret is encrypted for the stack that it stands in, so it is left out, with the section that
    cannot be without it.
    """
    made = Environment(values)
    made.values = _without_secrets(values, sections(), made.secrets)
    for path in _OWN:
        old = _get(made.values, path)
        if old is None:
            continue
        new = _renamed(path, old, name, source)
        if new == old:
            made.kept.append(f"{path}: {old} (as {source} has it)")
        else:
            _set(made.values, path, new)
            made.replaced.append(f"{path}: {old} -> {new}")
    _own_servers(made, name, source, values)
    return made


def _renamed(path: str, old: str, name: str, source: str) -> str:
    """The same with the new name in the old one's place, or beside it."""
    new = re.sub(rf"(?<![a-z0-9]){re.escape(source)}(?![a-z0-9])", name, old)
    if new != old or path.endswith(".context"):
        return new
    first, dot, rest = old.partition(".")
    return f"{first}-{name}{dot}{rest}"


def _own_servers(made: Environment, name: str, source: str, before: Mapping[str, Any]) -> None:
    """On the same cluster, servers need namespaces of their own."""
    context = "slipway:cluster.context"
    if _get(made.values, "slipway:observability.mode") != "bundled":
        return
    if _get(made.values, context) != _get(before, context):
        return
    for path, default in _MADE.items():
        old = _get(made.values, path) or default
        new = _renamed(path, old, name, source)
        _set(made.values, path, new)
        made.replaced.append(f"{path}: {old} -> {new}")


def _get(values: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401
    found: Any = values
    for part in path.removeprefix(f"{PROJECT}:").split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _set(values: Any, path: str, value: str) -> None:  # noqa: ANN401
    *parents, last = path.removeprefix(f"{PROJECT}:").split(".")
    for part in parents:
        values = values.setdefault(part, {})
    values[last] = value


def _without_secrets(
    values: Mapping[str, Any], keys: Sequence[Key], left_out: list[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key in keys:
        name = key.name.removeprefix(f"{PROJECT}:")
        if name not in values:
            continue
        value = values[name]
        if key.is_secret:
            left_out.append(key.path)
        elif key.keys and isinstance(value, dict):
            kept[name] = _without_secrets(value, key.keys, left_out)
            needed = [inner for inner in key.keys if inner.default is REQUIRED and inner.is_secret]
            if any(inner.name in value for inner in needed):
                del kept[name]
        else:
            kept[name] = value
    return kept


def text_of(name: str, source: str, made: Environment) -> str:
    """The file."""
    lines = [
        "# yaml-language-server: $schema=settings/stack.schema.json",
        "#",
        f"# The {name} stack, made from {source}. A key behind a # has the default it",
        "# shows; one that shows nothing is not set. docs/configuration.md has the bounds.",
        "config:",
    ]
    for section in sections():
        name_in_file = section.name.removeprefix(f"{PROJECT}:")
        lines += _key(section, made.values.get(name_in_file, ABSENT), 1)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _key(key: Key, value: Any, depth: int) -> Iterator[str]:  # noqa: ANN401
    """The lines of one key: the value that is given, or behind a # the default."""
    is_given = value is not ABSENT and not (key.keys and value == {})
    margin = "  " * depth
    start = margin if is_given else f"{margin}#"
    if depth == 1:
        yield ""
    yield from _comment(f"{margin}#", f"{key.meaning} {_HOW_TO_SET * key.is_secret}")
    if not key.keys or value is None:
        shown = value if is_given else key.default
        is_empty = shown is REQUIRED or (shown is None and not is_given)
        yield f"{start}{key.name}:{'' if is_empty else f' {on_one_line(shown)}'}"
        return
    yield f"{start}{key.name}:"
    given = value if is_given else {}
    for inner in key.keys:
        yield from _key(inner, given.get(inner.name, ABSENT), depth + 1)


def _comment(start: str, text: str) -> Iterator[str]:
    words = text.split()
    line = start
    for word in words:
        if len(line) + len(word) >= _WIDTH:
            yield line
            line = start
        line += f" {word}"
    if words:
        yield line


def create(name: str, source: str) -> Environment:
    """Write the file of a new stack. Raises :class:`CommandError`, and then there is none."""
    if not re.fullmatch(_NAME, name):
        raise CommandError(f"NAME={name} is not a name for an environment: use {_ALLOWED}")
    file = stack_file.path_of(name)
    if file.exists():
        raise CommandError(f"{file.name} is there already: nothing was written")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", source):
        raise CommandError(f"FROM={source} is not a stack's name")
    path = stack_file.path_of(source)
    load(str(path))
    made = derive(name, source, read(path))
    document = YAML(typ="safe", pure=True).load(path.read_text())
    made.foreign = [key for key in document["config"] if not key.startswith(f"{PROJECT}:")]
    text = text_of(name, source, made)
    with TemporaryDirectory() as folder:
        trial = Path(folder) / file.name
        trial.write_text(text)
        load(str(trial))
    files.write(file, text)
    return made


@report_errors
def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="commands.new_env", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True, help="the stack to make it from")
    given = parser.parse_args(arguments)
    made = create(given.name, given.source)
    print(f"{stack_file.path_of(given.name).name}, from {given.source}:")
    for title, lines in (
        ("changed", made.replaced),
        ("kept, look whether that is meant", made.kept),
        ("left out: a secret is encrypted for one stack", made.secrets),
        ("left out: keys of providers", made.foreign),
    ):
        if lines:
            print(f"  {title}")
        for line in lines:
            print(f"    {line}")
    print(f"next: make diff STACK={given.name}, make preview STACK={given.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
