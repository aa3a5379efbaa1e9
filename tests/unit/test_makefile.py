"""Values of make variables are passed to commands without being expanded."""

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
def test_a_version_with_shell_syntax_is_refused_and_not_executed(
    text: str, by: str, tmp_path: Path
) -> None:
    file = tmp_path / "created"
    value = text.format(file)
    given = [f"VERSION={value}"] if by == "argument" else []
    result = subprocess.run(
        ["make", "--silent", "rollback", "STACK=dev", f"PY={sys.executable}", "INSTALLED=", *given],
        cwd=PROJECT,
        env={**os.environ, **({"VERSION": value} if by == "environment" else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    shown = value.replace("\n", " ")
    assert result.stderr.startswith(f"error: VERSION={shown} is not a version: use MAJOR.MINOR")
    assert not file.exists()


def test_no_recipe_expands_a_variable_of_the_user() -> None:
    """Recipes read them by `value`: make would run a `$(shell …)` in an expanded one."""
    text = (PROJECT / "Makefile").read_text()
    exported = text.partition("unexport ")[2].partition("\n\n")[0].replace("\\", "").split()
    assert {"STACK", "VERSION", "OUT", "QUERY"} <= set(exported)
    expanded = {name for name in exported if f"$({name})" in text}
    assert expanded == {"ARGS"}, "ARGS are arguments for a command"
