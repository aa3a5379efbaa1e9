"""Stack files."""

from pathlib import Path

import pytest

from settings import SettingsError
from settings.stack_config import read
from settings.stack_file import path_of, stack_of

CHECKOUT = Path(__file__).resolve().parents[3]


def written(folder: Path, text: str) -> Path:
    file = folder / "Pulumi.test.yaml"
    file.write_text(text)
    return file


def test_keys_of_other_namespaces_are_omitted(
    tmp_path: Path,
) -> None:
    text = "config:\n  slipway:service: {port: 8080}\n  kubernetes:context: here\n"
    assert read(written(tmp_path, text)) == {"service": {"port": 8080}}


def test_top_level_keys_of_pulumi_are_accepted(tmp_path: Path) -> None:
    text = "encryptionsalt: v1:abc\nsecretsprovider: passphrase\nconfig: {}\n"
    assert read(written(tmp_path, text)) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config: [", "line 2, column 1 is not valid YAML: "),
        ("config:\n  a: 1\n a: 2\n", "line 3, column 2 is not valid YAML: "),
        ("config:\n\tslipway:a: 1\n", "line 2, column 1 is not valid YAML: "),
        ("<<<<<<< HEAD\nconfig: {}\n", "line 1 is a merge conflict: resolve it"),
        ("config: {}\n=======\n", "line 2 is a merge conflict: resolve it"),
        ("- a\n", "it is not a mapping: use a mapping with the key config"),
        ("", "it is not a mapping: use a mapping with the key config"),
        ("config: [a]\n", "config is not a mapping: use keys like slipway:service"),
        ("confg: {}\n", "confg is not a key: did you mean config?"),
        ("config: {routing: {}}\n", "routing is not a key: use slipway:routing, or the namespace"),
    ],
)
def test_a_file_that_is_not_a_stack_file_is_refused_with_the_line_and_reason(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(written(tmp_path, text))
    (message,) = error.value.errors
    assert message.startswith(says)
    assert str(error.value).startswith("Pulumi.test.yaml has an error:\n  ")


def test_a_missing_file_is_refused_with_the_existing_ones(tmp_path: Path) -> None:
    written(tmp_path, "config: {}")
    with pytest.raises(SettingsError, match=r"it does not exist: use Pulumi\.test\.yaml"):
        read(tmp_path / "Pulumi.prd.yaml")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="it cannot be read: "):
        read(file)


def test_a_stack_is_given_by_name_or_by_path() -> None:
    assert path_of("dev") == CHECKOUT / "Pulumi.dev.yaml"
    assert path_of("/else/where/Pulumi.dev.yaml") == Path("/else/where/Pulumi.dev.yaml")
    assert stack_of(path_of("eu.prod")) == "eu.prod"
