"""``OUT`` of the commands: the file or folder that they write, checked before they do anything."""

import os
from pathlib import Path

from commands.errors import CommandError


def out_file(text: str) -> Path:
    """Return the path of a file that can be written. Missing parent folders are created later.

    Raises :class:`CommandError`.
    """
    path = Path(text)
    if path.is_dir():
        raise CommandError(f"OUT={text} is a folder: use a file")
    # A regular file is replaced by another one; anything else, such as /dev/stdout, is written to.
    is_special = path.exists() and not path.is_file()
    _check(text, path if is_special else path.resolve().parent)
    return path


def out_folder(text: str) -> Path:
    """Return the path of a folder that files can be written to. It is created later.

    Raises :class:`CommandError`.
    """
    path = Path(text)
    _check(text, path)
    return path


def _check(text: str, path: Path) -> None:
    absolute = path.resolve()
    found = next(one for one in (absolute, *absolute.parents) if one.exists())
    if not path.is_dir() and found.is_file():
        raise CommandError(f"OUT={text} cannot be written: {found} is a file, not a folder")
    if not os.access(found, os.W_OK):
        raise CommandError(f"OUT={text} cannot be written: there is no permission for {found}")
