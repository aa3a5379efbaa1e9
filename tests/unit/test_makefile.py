"""What a variable holds reaches a command as it was typed, whatever it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HOSTILE = (
    "1; touch {}",
    "1'; touch {}; '",
    '1"; touch {}; "',
    "$(shell touch {})",
    "$$(touch {})",
    "`touch {}`",
    "1'\ntouch {}\n'",
)


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_version_is_refused_and_nothing_of_it_runs(
    text: str, by: str, tmp_path: Path
) -> None:
    mark = tmp_path / "made"
    value = text.format(mark)
    given = [f"VERSION={value}"] if by == "argument" else []
    result = subprocess.run(
        ["make", "--silent", "rollback", "STACK=dev", f"PY={sys.executable}", "RUN=", *given],
        cwd=PROJECT,
        env={**os.environ, **({"VERSION": value} if by == "environment" else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    shown = value.replace("\n", " ")
    assert result.stderr.startswith(f"error: VERSION={shown} is not a version: use MAJOR.MINOR")
    assert not mark.exists()


def test_no_recipe_pastes_what_was_typed() -> None:
    """By `value` only: what make expands, it also runs."""
    text = (PROJECT / "Makefile").read_text()
    exported = text.partition("unexport ")[2].partition("\n\n")[0].replace("\\", "").split()
    assert {"STACK", "VERSION", "PR", "FILE", "TEXT"} <= set(exported)
    pasted = {name for name in exported if f"$({name})" in text}
    assert pasted == {"ARGS"}, "these are the user's own words for a command"
