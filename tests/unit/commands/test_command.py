"""A command ends with one message and an exit code, whatever becomes of it."""

import os
import signal
import subprocess
import sys

import pytest

from commands.command import command
from commands.errors import FAILED, CommandError
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
def test_an_error_is_told_as_it_is(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @command
    def fail() -> int:
        raise error

    assert fail() == code
    assert capsys.readouterr().err == f"error: {error}\n"


@pytest.mark.parametrize("at_work", [True, False], ids=["at work", "being imported"])
def test_ctrl_c_is_told_in_one_line(at_work: bool) -> None:
    program = f"""
import os, signal
from commands.command import command

@command
def wait() -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return 0

{"wait()" if at_work else "os.kill(os.getpid(), signal.SIGINT)"}
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == -signal.SIGINT
    assert result.stderr == "interrupted: run the same command again to go on\n"


def test_lines_stand_in_the_order_in_which_they_were_written() -> None:
    program = """
import subprocess
from commands.command import command

@command
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


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    program = """
import sys
from commands.command import command

@command
def talk() -> int:
    for line in range(100_000):
        print(line)
    return 0

sys.exit(talk())
"""
    talking = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert talking.stdout
    assert talking.stdout.readline() == "0\n"
    talking.stdout.close()
    _, complaint = talking.communicate(timeout=60)
    assert talking.returncode == 141
    assert complaint == ""
