"""Life cycle of a plugin process."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = "from local.plugins.random_provider import main; main('1.2.3')"


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A plugin that serves."""
    with subprocess.Popen(
        [sys.executable, "-c", PLUGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert int(process.stdout.readline()) > 0
        yield process
        if process.poll() is None:
            process.kill()


def test_an_interrupted_plugin_exits_with_0_and_prints_nothing(
    process: "subprocess.Popen[bytes]",
) -> None:
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert errors == b""


def test_an_interrupt_of_any_thread_ends_the_plugin(process: "subprocess.Popen[bytes]") -> None:
    threads = [int(entry.name) for entry in Path(f"/proc/{process.pid}/task").iterdir()]
    other = next(thread for thread in threads if thread != process.pid)
    assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGINT) == 0
    assert process.wait(timeout=10) == 0


def test_a_plugin_ends_with_the_engine(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin
    process.stdin.close()
    assert process.wait(timeout=10) == 0
