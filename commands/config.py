"""``make config``: values of a stack's configuration, each with the file and line that sets it."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands.errors import CommandError, report_errors
from settings import PROJECT, load
from settings.defaults import is_encrypted
from settings.errors import dotted, suggestion
from settings.stack_config import StackConfig
from settings.stack_file import path_of
from settings.yaml_reader import Location
from settings.yaml_writer import to_yaml_line

_SECRET = "(encrypted)"  # noqa: S105  # shown instead of a value


def lines(stack: str, key: str = "") -> Iterator[str]:
    """Yield a line for each value at ``key`` and below it; for each value without a key.

    Services have the values of ``slipway:defaults``. Raises :class:`CommandError` or
    :class:`SettingsError`.
    """
    settings = load(stack).model_dump(mode="json", by_alias=True, exclude={"defaults"})
    config = StackConfig.read(path_of(stack))
    values = {f"{PROJECT}:{dotted(place)}": (place, value) for place, value in _leaves(settings)}
    wanted = key if key.startswith(f"{PROJECT}:") or not key else f"{PROJECT}:{key}"
    found = {
        name: one
        for name, one in values.items()
        if not wanted or name == wanted or name.startswith((f"{wanted}.", f"{wanted}["))
    }
    if not found:
        raise CommandError(f"KEY={key} is not a key of {stack}: {suggestion(wanted, [*values])}")
    for name, (place, value) in found.items():
        yield f"{name}: {_text(config, place, value)}  # {config.exact_origin(place) or 'default'}"


def _leaves(value: object, place: Location = ()) -> Iterator[tuple[Location, object]]:
    """Yield each value that is not a mapping with keys, and its location."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*place, name))
    else:
        yield place, value


def _text(config: StackConfig, place: Location, value: object) -> str:
    written: Any = config.sections
    for part in place:
        written = written.get(part) if isinstance(written, Mapping) else None
    return _SECRET if is_encrypted(written) else to_yaml_line(value)


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the values; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.config", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--key", default="")
    options = parser.parse_args(arguments)
    print("\n".join(lines(options.stack, options.key)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
