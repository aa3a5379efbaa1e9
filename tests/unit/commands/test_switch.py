"""What is on or off is neither by accident."""

import pytest

from commands.errors import CommandError
from commands.switch import is_on


def test_one_is_on_and_nothing_is_off() -> None:
    assert is_on("FORCE", "1")
    assert not is_on("FORCE", "")


@pytest.mark.parametrize("value", ["0", "no", "false", "yes", " "])
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match=f"FORCE={value}: use 1, or leave it out"):
        is_on("FORCE", value)
