"""Per-stack lock: one command at a time."""

import threading
from pathlib import Path

import pytest

from commands.errors import CommandError
from commands.stack_lock import hold_lock


def test_a_second_command_on_a_stack_waits_and_prints_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    is_locked, is_released = threading.Event(), threading.Event()

    def first() -> None:
        with hold_lock("dev", tmp_path):
            is_locked.set()
            is_released.wait(1)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert is_locked.wait(5)
    with hold_lock("dev", tmp_path):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for another run on dev" in capsys.readouterr().out


def test_a_command_on_another_stack_does_not_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold_lock("dev", tmp_path), hold_lock("prod", tmp_path):
        assert capsys.readouterr().out == ""


def test_a_lock_that_is_not_released_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    with (
        hold_lock("dev", tmp_path),
        pytest.raises(CommandError, match="another run on dev"),
        hold_lock("dev", tmp_path, timeout=0.3),
    ):
        pass
