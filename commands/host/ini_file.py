"""Files of sections with keys, in which a key may be repeated: units of systemd."""

from collections.abc import Mapping, Sequence

Values = str | int | bool | Sequence[str]
Sections = Mapping[str, Mapping[str, Values]]


def to_ini(sections: Sections) -> str:
    """Return the text of a file. A key with several values is repeated, one with none omitted."""
    blocks: list[str] = []
    for name, keys in sections.items():
        lines = [f"[{name}]"]
        for key, value in keys.items():
            values = [value] if isinstance(value, str | int) else value
            for one in values:
                text = ("yes" if one else "no") if isinstance(one, bool) else one
                lines.append(f"{key}={text}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"
