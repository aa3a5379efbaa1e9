"""A command ends with one message and an exit code, whatever becomes of it."""

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


def test_ctrl_c_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    @command
    def wait() -> int:
        raise KeyboardInterrupt

    assert wait() == 130
    assert "again" in capsys.readouterr().err


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
