"""Reading of a YAML file, with errors that name it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from settings.errors import SettingsError, dotted
from settings.yaml_reader import Location, YamlError, YamlReader


def read_yaml(
    path: Path,
    is_checked: Callable[[Location], bool],
    key: Callable[[Location], str] = dotted,
) -> tuple[Any, Mapping[Location, int]]:
    """Read the only document of a file, and the line of each of its keys and list items.

    ``is_checked`` is that of :class:`YamlReader`. ``key`` names a location in an error. Raises
    :class:`SettingsError`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path.name, [f"it cannot be read: {error}"]) from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")) or line == "=======":
            raise SettingsError(path.name, [f"line {number} is a merge conflict: resolve it"])
    reader = YamlReader(is_checked=is_checked)
    try:
        document = reader.read(text)
    except YamlError as error:
        raise SettingsError(path.name, [str(error)]) from None
    if reader.errors:
        errors = [f"{key(location) or 'it'} {error}" for location, error in reader.errors]
        raise SettingsError(path.name, errors)
    return document, reader.lines
