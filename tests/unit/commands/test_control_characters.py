"""Escaping of control characters."""

from commands.control_characters import escape_control_characters, escape_json

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u200b\u2060\ufeff\U000e0041"
SEPARATORS = "\x85\u2028\u2029"
CONTROL = "\x00\x07\b\n\r\x1b\x7f\x9b"
SURROGATE = "\ud800"


def test_control_characters_are_escaped() -> None:
    for character in (*BIDIRECTIONAL, *INVISIBLE, *SEPARATORS, *CONTROL, SURROGATE):
        escaped = escape_control_characters(f"a{character}b")
        assert escaped.isprintable(), ascii(character)
        assert escaped == f"a{ascii(character)[1:-1]}b"


def test_other_text_is_unchanged() -> None:
    text = "\tpath=/ü?q=漢字 مرحبا 🚢 e\u0301"
    assert escape_control_characters(text) == text


def test_every_string_of_a_json_value_is_escaped() -> None:
    value = {"a\u202e": [1, None, "b\x1b"], "c": {"d": "e\u2066"}}
    assert escape_json(value) == {"a\\u202e": [1, None, "b\\x1b"], "c": {"d": "e\\u2066"}}
