"""Two commands on one stack follow each other; on two stacks they do not wait."""

import threading
from pathlib import Path

import pytest

from commands.errors import CommandError
from commands.turn import turn


def test_a_second_command_waits_for_the_first_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    began = threading.Event()

    def first() -> None:
        with turn("dev", tmp_path):
            began.set()
            threading.Event().wait(2)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(5)
    with turn("dev", tmp_path):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert "waiting for another run on dev" in capsys.readouterr().out


def test_a_command_on_another_stack_does_not_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with turn("dev", tmp_path), turn("prod", tmp_path):
        assert capsys.readouterr().out == ""


def test_waiting_ends_with_an_error_that_names_the_stack(tmp_path: Path) -> None:
    with (
        turn("dev", tmp_path),
        pytest.raises(CommandError, match="another run on dev"),
        turn("dev", tmp_path, deadline=0.3),
    ):
        pass
