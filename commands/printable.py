"""Text from elsewhere, as a terminal may have it."""

import unicodedata


def printable(text: str) -> str:
    """The text with control characters as escapes, as ``\\x1b``; a tab stays.

    A service logs what its clients send, and a terminal obeys what it is sent.
    """
    return "".join(
        one if one == "\t" or unicodedata.category(one) != "Cc" else f"\\x{ord(one):02x}"
        for one in text
    )
