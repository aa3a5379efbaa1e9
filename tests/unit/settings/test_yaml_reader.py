"""Values of stack files, which the Pulumi CLI and Slipway read alike or Slipway refuses."""

import time
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from settings.stack_config import read

ACCEPTED: dict[str, Any] = {
    "10": 10,
    "0": 0,
    "-1": -1,
    "0.5": 0.5,
    "-99.999": -99.999,
    "true": True,
    "false": False,
    "null": None,
    "": None,
    '"10"': "10",
    "'010'": "010",
    '"yes"': "yes",
    "yes": "yes",
    "No": "No",
    "on": "on",
    "OFF": "OFF",
    "y": "y",
    '"~"': "~",
    "1.0.0": "1.0.0",
    "10.0.0.1": "10.0.0.1",
    "500m": "500m",
    "1m30s": "1m30s",
    "2Gi": "2Gi",
    "localhost:5000": "localhost:5000",
    "0o8": "0o8",
    "1,000": "1,000",
    "_1": "_1",
    "inf": "inf",
    "null-value": "null-value",
    "&a 10": 10,
    "|-\n      10": "10",
    "[1, a, [x:y]]": [1, "a", ["x:y"]],
    "{a: 1, b: {c: }}": {"a": 1, "b": {"c": None}},
}
"""Values by their spelling."""
REFUSED = (
    *(
        "010",
        "08",
        "00",
        "-0",
        "+10",
        "0x10",
        "0X10",
        "0o10",
        "0b1",
        "1_000",
        "-_1",
        "1e1",
        "12e03",
    ),
    *(
        "1.0",
        "1.50",
        "1.",
        ".5",
        "-.5",
        "+.5",
        "1E+2",
        ".inf",
        "-.Inf",
        ".NaN",
        "1:30",
        "190:20:30.5",
    ),
    *("1234567890123456", "True", "FALSE", "~", "Null", "NULL"),
    *("2024-01-01", "2024-1-1", "2024-01-01T10:00:00Z", "2024-01-01 10:00:00", "=", "<<"),
    *("!!str 10", "!!int '3'", "!custom a"),
)
"""Spellings of which YAML parsers disagree, or may."""


def stack_file(folder: Path, text: str) -> Path:
    """Write a stack file; return its path."""
    file = folder / "Pulumi.test.yaml"
    file.write_text(text)
    return file


def errors_of(folder: Path, text: str) -> tuple[str, ...]:
    """Return the errors of a stack file."""
    with pytest.raises(SettingsError) as error:
        read(stack_file(folder, text))
    return error.value.errors


def test_canonical_spellings_are_accepted(tmp_path: Path) -> None:
    lines = (f"    key{number}: {spelling}\n" for number, spelling in enumerate(ACCEPTED))
    text = f"config:\n  slipway:section:\n{''.join(lines)}"
    found = read(stack_file(tmp_path, text))["section"].values()
    for spelling, one, value in zip(ACCEPTED, found, ACCEPTED.values(), strict=True):
        assert (one, type(one)) == (value, type(value)), spelling


def test_any_other_spelling_is_refused_by_key(tmp_path: Path) -> None:
    lines = (f"    - {spelling}\n" for spelling in REFUSED)
    text = f"config:\n  slipway:section:\n    key:\n{''.join(lines)}"
    errors = errors_of(tmp_path, text)
    for number, (error, spelling) in enumerate(zip(errors, REFUSED, strict=True)):
        assert error.startswith(f"slipway:section.key[{number}] ")
        assert spelling.split(maxsplit=1)[0] in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maxReplicas: 010", '010: use a decimal number like 10 or 0.5, or for a string "010" in'),
        ("maxReplicas: True", 'True: use true or false, or for a string "True" in quotes'),
        ("maxReplicas: ~", '~: use null, or for a string "~" in quotes'),
        ("maxReplicas: 2024-01-01", '2024-01-01: use "2024-01-01" in quotes'),
    ],
)
def test_a_refused_value_is_reported_with_the_allowed_spellings(
    tmp_path: Path, text: str, message: str
) -> None:
    (error,) = errors_of(tmp_path, f"config:\n  slipway:autoscaling: {{{text}}}\n")
    assert error.startswith(f"slipway:autoscaling.maxReplicas is {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {slipway:a: {b: 1, 'b': 2}}", "slipway:a.b is a duplicate key: remove one"),
        ("config: {slipway:a: 1, slipway:a: 2}", "slipway:a is a duplicate key: remove one"),
        ("config: {slipway:a: {8080: b}}", 'slipway:a.8080 is a key that is not a string: use "80'),
        ("config: {slipway:a: {True: b}}", "slipway:a.True is a key that is not a string"),
        ("config: {slipway:a: {<<: {b: 1}}}", "slipway:a.<< is a key that is not a string"),
        ("config: {slipway:a: {!!str b: 1}}", "slipway:a.b is a key that is not a string"),
        ("config: {slipway:a: {? [b] : 1}}", "line 1 has a key that is not a string"),
        ("config: {slipway:a: &a 1, slipway:b: *a}", "slipway:b is the alias *a: repeat the value"),
        ("config: &a [*a]", "config[0] is the alias *a: repeat the value"),
        ("config: {}\n---\nconfig: {}", "it has more than one document"),
        ("%YAML 1.1\n---\nconfig: {}", "it has a directive: remove the line with %"),
        ("config: {slipway:a: 'b\u2028c'}", "line 1 has a line break that is not a newline"),
        (
            r'config: {slipway:a: "\ud800"}',
            "line 1, column 24 has an escape that is not a character, such as an unpaired surr",
        ),
        (f"config: {'[' * 5000}{']' * 5000}", "it has more than 32 levels"),
    ],
)
def test_a_structure_that_parsers_read_differently_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (error,) = errors_of(tmp_path, text)
    assert error.startswith(message)


def test_nested_aliases_are_refused_without_being_expanded(tmp_path: Path) -> None:
    levels = (f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30))
    started = time.monotonic()
    errors = errors_of(tmp_path, "\n".join(["l0: &l0 [a]", *levels]))
    assert errors[0] == "l1[0] is the alias *l0: repeat the value"
    assert time.monotonic() - started < 5


def test_values_of_other_namespaces_are_not_checked(tmp_path: Path) -> None:
    text = "encryptionsalt: 010\nconfig: {aws:account: 012, kubernetes:x: yes}\n"
    assert read(stack_file(tmp_path, text)) == {}
