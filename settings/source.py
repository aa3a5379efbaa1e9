"""Source folder of a service."""

from pathlib import Path

from settings import stack_file


def source_folder(source: str) -> Path:
    """Path of the folder ``source``, which is relative to the project."""
    return stack_file.PROJECT_FOLDER / source


def version_file(source: str) -> Path:
    """Path of the optional file with the version that the working tree builds."""
    return source_folder(source) / "VERSION"


def working_tree_version(source: str) -> str | None:
    """Content of the version file, without validation. ``None``: there is none."""
    file = version_file(source)
    return file.read_text().strip() if file.is_file() else None
