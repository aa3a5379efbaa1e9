"""Files written whole or not at all, and held by one process at a time."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO

PRIVATE = 0o600
PUBLIC = 0o644


def write(path: Path, content: str | bytes, mode: int = PUBLIC) -> bool:
    """Makes `path` hold `content` with `mode`; says whether it held something else before."""
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        path.chmod(mode)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def same(one: Path, other: Path) -> bool:
    """Whether both are there with the same content."""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def private_folder(path: Path) -> Path:
    """`path` as a folder that only its owner can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def lock(file: IO[str]) -> bool:
    """Whether this process holds `file` now, alone; the lock goes with the process."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
