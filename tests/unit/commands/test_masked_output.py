"""Output of a program without the secrets that it may print."""

import os
from pathlib import Path

import pytest

from commands.masked_output import mask, run_masked

PASSWORD = "hunter2hunter2"
NETRC = "machine example.com\n  login robot\n  password hunter3hunter3\nend\n"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"token={PASSWORD};\n", "token=[secret];\n"),
        (f"{PASSWORD}{PASSWORD}\n", "[secret][secret]\n"),
        (f"{PASSWORD}-longer\n", "[secret]\n"),
        ("#7 0.1   password hunter3hunter3\n", "#7 0.1   [secret]\n"),
        ("the end of a step\n", "the end of a step\n"),
        ("x.y\n", "[secret]\n"),
        ("xzy\n", "xzy\n"),
    ],
)
def test_a_secret_and_each_of_its_lines_is_masked(text: str, masked: str) -> None:
    assert mask(text, [PASSWORD, f"{PASSWORD}-longer", NETRC, "x.y", ""]) == masked


def test_output_and_errors_of_a_program_are_printed_without_its_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f"echo one {PASSWORD}; echo two {PASSWORD} >&2; pwd; exit 3"
    assert run_masked(["sh", "-c", script], [PASSWORD], os.environ, tmp_path) == 3
    printed = capsys.readouterr().err
    assert printed == f"one [secret]\ntwo [secret]\n{tmp_path}\n"
