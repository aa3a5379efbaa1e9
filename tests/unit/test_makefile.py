"""Values of make variables are passed to commands without being expanded."""

import os
import subprocess
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
def test_a_version_with_shell_syntax_is_one_argument_of_the_command(
    text: str, by: str, tmp_path: Path
) -> None:
    file, python = tmp_path / "created", tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    value = text.format(file)
    given = [f"VERSION={value}"] if by == "argument" else []
    result = subprocess.run(
        ["make", "--silent", "rollback", "STACK=dev", f"PY={python}", "INSTALLED=", *given],
        cwd=PROJECT,
        env={**os.environ, **({"VERSION": value} if by == "environment" else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    version = value.replace("\n", " ")
    arguments = ["-m", "commands", "rollback", "--stack=dev", f"--version={version}"]
    assert result.stdout.splitlines() == arguments
    assert not file.exists()


def test_no_recipe_expands_a_variable_of_the_user() -> None:
    """Recipes read them by `value`: make would run a `$(shell …)` in an expanded one."""
    text = (PROJECT / "Makefile").read_text()
    exported = text.partition("unexport ")[2].partition("\n\n")[0].replace("\\", "").split()
    assert {"STACK", "VERSION", "OUT", "QUERY"} <= set(exported)
    expanded = {name for name in exported if f"$({name})" in text}
    assert expanded == {"ARGS"}, "ARGS are arguments for a command"
