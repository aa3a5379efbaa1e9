"""Outputs of a workflow job."""

from pathlib import Path


def write_output(name: str, value: str, file: Path | None) -> None:
    """Print ``name=value`` and append it to ``file``, such as that of ``GITHUB_OUTPUT``."""
    line = f"{name}={value}\n"
    print(line, end="")
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as out:
            out.write(line)
