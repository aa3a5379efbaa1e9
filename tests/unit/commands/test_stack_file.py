"""Stack files as the commands leave them."""

from pathlib import Path

import pytest

from commands import stack_file

SALT = "encryptionsalt: v1:abc=:v1:def\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stack_file, "PROJECT", tmp_path)
    return tmp_path / "Pulumi.dev.yaml"


@pytest.mark.parametrize("salt", [SALT, SALT.replace(" ", "\n  ")], ids=["line", "folded"])
def test_the_salt_that_pulumi_writes_is_taken_back(file: Path, salt: str) -> None:
    file.write_text(f"# Mine.\nconfig:\n  slipway:service:\n    name: beacon\n{salt}")
    stack_file.forget_salt("dev")
    assert file.read_text() == "# Mine.\nconfig:\n  slipway:service:\n    name: beacon\n"


def test_a_salt_that_a_secret_needs_stays(file: Path) -> None:
    text = f"config:\n  slipway:image:\n    password:\n      secure: v1:xyz\n{SALT}"
    file.write_text(text)
    stack_file.forget_salt("dev")
    assert file.read_text() == text


def test_a_file_keeps_its_mode(file: Path) -> None:
    file.write_text(f"config: {{}}\n{SALT}")
    file.chmod(0o640)
    stack_file.forget_salt("dev")
    assert file.stat().st_mode & 0o777 == 0o640
