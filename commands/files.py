"""Files that are written whole or not at all."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from commands.errors import CommandError


def write_whole(file: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it finds the old text or the new.

    Folders are made where they are missing. What is there and no regular file, such as
    ``/dev/stdout``, is written to. Raises :class:`CommandError`, and then nothing changed.
    """
    try:
        file = file.resolve()
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            "w", dir=file.parent, prefix=f".{file.name}.", delete=False, encoding="utf-8"
        ) as new:
            made = Path(new.name)
            try:
                new.write(text)
                new.flush()
                made.chmod(_mode(file))
                made.replace(file)
            except BaseException:
                made.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from None


def _mode(file: Path) -> int:
    if file.exists():
        return file.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
