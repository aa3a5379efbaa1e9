"""Error messages and exit codes of the commands."""

import os
import signal
import subprocess
import sys

import pytest

from commands.errors import FAILED, CommandError, report_errors
from local.errors import LocalError
from settings import SettingsError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("no"), 2),
        (CommandError("no", FAILED), 1),
        (LocalError("no"), 2),
        (SettingsError("dev", ["no"]), 2),
        (OSError(28, "No space left on device"), 1),
        (subprocess.TimeoutExpired("kubectl", 60), 1),
    ],
)
def test_an_error_is_printed_as_one_message(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @report_errors
    def fail() -> int:
        raise error

    assert fail() == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_control_characters_in_a_message_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    @report_errors
    def fail() -> int:
        raise CommandError("is \x1b[2J\u202egnp.exe\ud800:\n\tuse a name")

    assert fail() == 2
    assert capsys.readouterr().err == ("error: is \\x1b[2J\\u202egnp.exe\\ud800:\n\tuse a name\n")


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "being imported"])
def test_ctrl_c_prints_one_line(is_running: bool) -> None:
    program = f"""
import os, signal
from commands.errors import report_errors

@report_errors
def wait() -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return 0

{"wait()" if is_running else "os.kill(os.getpid(), signal.SIGINT)"}
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == -signal.SIGINT
    assert result.stderr == "interrupted: run the same command again to continue\n"


def test_output_is_in_the_order_in_which_it_was_written() -> None:
    program = """
import subprocess
from commands.errors import report_errors

@report_errors
def deploy() -> int:
    print("before")
    subprocess.run(["echo", "within"], check=True)
    print("after")
    return 0

deploy()
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.split() == ["before", "within", "after"]


def test_a_closed_pipe_is_no_error() -> None:
    program = """
import sys
from commands.errors import report_errors

@report_errors
def write() -> int:
    for line in range(100_000):
        print(line)
    return 0

sys.exit(write())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 141
    assert errors == ""


def test_a_command_ends_without_a_search_of_its_memory_for_cycles() -> None:
    cycle = """\
import commands
class Node:
    def __del__(self):
        print("found")
node = Node()
node.itself = node
del node
"""
    done = subprocess.run([sys.executable, "-c", cycle], capture_output=True, text=True, check=True)
    assert done.stdout == ""
