"""Atomic writes."""

import os
import stat
import threading
from pathlib import Path

import pytest

from local import files
from local.errors import LocalError


def test_only_a_change_of_content_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    assert files.write(file, "text")
    assert not files.write(file, "text")
    assert files.write(file, b"other")
    assert file.read_text() == "other"
    assert list(file.parent.iterdir()) == [file]


def test_a_replaced_file_keeps_its_permissions_unless_others_are_given(tmp_path: Path) -> None:
    file = tmp_path / "script"
    file.write_text("old")
    file.chmod(0o755)
    files.write(file, "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o755
    files.write(file, "new", files.PRIVATE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_target_of_a_symbolic_link_is_replaced_and_the_link_kept(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)
    files.write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_named_pipe_is_written_to_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    files.write(pipe, "text")
    reader.join(10)
    assert read == ["text"]
    assert pipe.is_fifo()


def test_an_error_names_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="file/below cannot be written"):
        files.write(tmp_path / "file" / "below", "text")
