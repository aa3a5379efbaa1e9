"""Files with secrets for programs that the commands start."""

import atexit
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from local import files


def secret_file(content: str) -> Path:
    """Return a file with this content that child processes of this process can read.

    On Linux it is in memory and ends with this process. Elsewhere it is a file in a private
    temporary folder, which is removed at exit.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("secret")
        os.write(descriptor, content.encode())
        return Path(f"/proc/{os.getpid()}/fd/{descriptor}")
    file = private_folder() / "secret"
    files.write(file, content, files.PRIVATE)
    return file


def private_folder() -> Path:
    """Return a private temporary folder, which is removed at exit."""
    folder = TemporaryDirectory(prefix="slipway-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
