"""``python -m commands.remove_service``: remove a service from every stack file.

Its objects are deleted by the next update of each stack.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.errors import CommandError, report_errors
from commands.make_variables import parse_flag
from commands.stack_file import StackFile
from settings import stack_file
from settings.project import project_name
from settings.source import source_folder


def remove(name: str, *, delete_source: bool = False) -> Sequence[str]:
    """Remove the service from the stack files; return a message for each change.

    ``delete_source`` deletes its source folder, which has to be in the project. A stack without
    another service gets a namespace with the name of the project instead of the service's.

    Raises :class:`CommandError` or :class:`SettingsError`; nothing is changed then.
    """
    files = [StackFile(str(path)) for path in stack_file.stack_files(stack_file.PROJECT_FOLDER)]
    used = [file for file in files if name in file.services]
    if not used:
        raise CommandError(f"NAME={name} is not a service of any stack file")
    sources = {source for file in used if (source := file.services[name].get("source"))}
    messages = [message for file in used for message in _remove(file, name)]
    kept = {one.get("source") for file in files for one in file.services.values()}
    folders = [_deletable(source, kept) for source in sources] if delete_source else []
    for file in used:
        file.save()
    for folder in folders:
        shutil.rmtree(folder)
    return [*messages, *(f"{folder.name}/ is deleted" for folder in folders)]


def _remove(file: StackFile, name: str) -> Sequence[str]:
    file.remove_service(name)
    messages = [f"{file.path.name}: service {name} is removed"]
    if file.services or file.config.base:
        file.check()
        return messages
    namespace = file.namespace
    if namespace == name or namespace.startswith(f"{name}-"):
        file.namespace = project_name().lower() + namespace.removeprefix(name)
        messages.append(
            f"{file.path.name}: slipway:namespace.name: {namespace} -> {file.namespace}"
        )
    return messages


def _deletable(source: str, kept: set[str | None]) -> Path:
    """Folder of a source. Raises :class:`CommandError` if it may not be deleted."""
    folder, project = source_folder(source).resolve(), stack_file.PROJECT_FOLDER.resolve()
    if folder == project or not folder.is_relative_to(project):
        raise CommandError(f"{source} is not in the project: delete it yourself")
    if source in kept:
        raise CommandError(f"{source} is the source of another service: it cannot be deleted")
    return folder


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.remove_service", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--delete-source", default="")
    options = parser.parse_args(arguments)
    is_deleted = parse_flag("DELETE_SOURCE", options.delete_source)
    print("\n".join(remove(options.name, delete_source=is_deleted)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
