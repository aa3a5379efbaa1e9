"""``OUT`` that cannot be written is refused before a command does anything."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from commands.errors import BAD_INPUT

FILE_COMMANDS = (
    ("commands.ca_certificate", "--stack=dev"),
    ("commands.ci_report", "preview", "--stack=dev"),
    ("commands.deployed_commit", "--stack=dev"),
    ("commands.built_image", "--stack=dev", "--plan=plan.json"),
    ("commands.report.__main__", "--stack=dev"),
    ("commands.drill.__main__", "--stack=dev"),
    ("commands.diff.__main__", "--stack=dev"),
)
FOLDER_COMMANDS = (
    ("commands.go_tasks", "binaries"),
    ("commands.supply_chain.__main__", "image"),
    ("commands.supply_chain.__main__", "sbom"),
)


def refused(command: tuple[str, ...], out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    module, *arguments = command
    main: Callable[[list[str]], int] = import_module(module).main
    assert main([*arguments, f"--out={out}"]) == BAD_INPUT
    return capsys.readouterr().err


@pytest.mark.parametrize("command", [*FILE_COMMANDS, *FOLDER_COMMANDS])
def test_a_path_below_a_file_is_refused(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    out = file / "sub/out"
    assert refused(command, out, capsys) == (
        f"error: OUT={out} cannot be written: {file} is a file, not a folder\n"
    )


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_a_folder_is_refused_as_a_file(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(command, tmp_path, capsys) == f"error: OUT={tmp_path} is a folder: use a file\n"


@pytest.mark.parametrize("command", [FILE_COMMANDS[0], FOLDER_COMMANDS[0]])
def test_a_folder_without_permission_is_refused(
    command: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The superuser may write to every folder.
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    said = refused(command, tmp_path / "sub/out", capsys)
    assert f"there is no permission for {tmp_path}" in said


def test_a_pipe_is_written_to() -> None:
    script = (
        "from commands.out_option import out_file; from local import files;"
        "files.write(out_file('/dev/stdout'), 'text')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"text"
