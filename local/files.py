"""Atomic writes, private folders and file locks."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from local.errors import LocalError

PRIVATE = 0o600
EXECUTABLE = 0o755


def write(path: Path, content: str | bytes, mode: int | None = None) -> bool:
    """Replace the content of a file atomically and return True if the content changed.

    `mode` is the permissions of the file: by default those it has, or the umask's for a new one.
    Missing parent folders are created and symbolic links are followed. Anything that is not a
    regular file, such as `/dev/stdout`, is written to directly. Raises `LocalError`; the file is
    unchanged then.
    """
    try:
        return _write(path, content.encode() if isinstance(content, str) else content, mode)
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int | None) -> bool:
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return True
    path = path.resolve()
    if path.exists():
        mode = mode or path.stat().st_mode & 0o777
        if path.read_bytes() == data:
            path.chmod(mode)
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if mode:
                os.fchmod(file.fileno(), mode)
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def same_content(one: Path, other: Path) -> bool:
    """True if both files exist with the same content."""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def private_folder(path: Path) -> Path:
    """Create a folder that only its owner can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def lock(file: IO[str]) -> bool:
    """Try to lock `file` exclusively; the lock ends with the process. True if it is held now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
