"""Control characters in text that others wrote."""

import unicodedata


def escape_control_characters(text: str) -> str:
    """Replace control characters except tabs by escapes such as ``\\x1b``.

    A service logs what its clients send, and a terminal executes control sequences.
    """
    return "".join(
        character
        if character == "\t" or unicodedata.category(character) != "Cc"
        else f"\\x{ord(character):02x}"
        for character in text
    )
