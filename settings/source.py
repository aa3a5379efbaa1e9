"""Source folder of a service."""

from pathlib import Path

from settings import stack_file

DEFAULT_SCHEMA = "config.schema.json"
"""Name of the JSON Schema of the configuration file in a source folder."""


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


def config_schema_file(source: str | None, name: str | None) -> Path | None:
    """Path of the JSON Schema ``name`` of the configuration file in the folder ``source``.

    Without a name, that of the default schema, if there is one.
    """
    if source is None:
        return None
    file = source_folder(source) / (name or DEFAULT_SCHEMA)
    return file if name or file.is_file() else None
