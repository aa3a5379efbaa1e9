"""Servers that run on this machine during a test."""

import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.layout import Layout
from tests.cluster.project import CHECKOUT


def build(program: str) -> None:
    """Build a program if it is missing."""
    subprocess.run([sys.executable, "-m", "local", "build", program], cwd=CHECKOUT, check=True)


def free_port(address: str) -> int:
    """Return a port that no server listens on."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        return listener.getsockname()[1]


def start(
    program: str | Path,
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program that ends with the tests, even if they are killed.

    Without a folder, it is one of those in ``bin``.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "--", Layout().bin / program, *arguments]
    if log is None:
        return subprocess.Popen(command, env=environment)
    with log.open("w") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)


def end(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """End programs, and wait for their end."""
    for process in processes:
        process.terminate()
        process.wait()


class Server:
    """Base of a context manager that starts ``_process`` and ends it after the block."""

    _process: "subprocess.Popen[bytes]"

    def __exit__(self, *_: object) -> None:
        end([self._process])
