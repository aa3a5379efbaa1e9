"""Control characters in text that others wrote."""

import unicodedata
from typing import Any

_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: control, format, surrogate, line separator, paragraph separator.

Format characters include those that reverse the direction of text, such as U+202E.
"""


def escape_control_characters(text: str, keep: str = "\t") -> str:
    """Replace control and format characters by escapes such as ``\\x1b`` and ``\\u202e``.

    A service logs what its clients send. A terminal executes control sequences, and shows text
    after U+202E in another order than a program reads it. ``keep`` has the characters that stay.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _ESCAPED_CATEGORIES and character not in keep
        else character
        for character in text
    )


def escape_json(value: Any) -> Any:  # noqa: ANN401
    """Escape the control characters in every string of a decoded JSON value."""
    match value:
        case str():
            return escape_control_characters(value)
        case list():
            return [escape_json(item) for item in value]
        case dict():
            return {escape_json(key): escape_json(item) for key, item in value.items()}
    return value
