"""``python -m commands.new_service``: add a service to a stack file.

The entry has the required keys, and every other key with its default in a comment.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from commands.errors import CommandError, report_errors
from commands.settings_docs import REQUIRED, SERVICES, Key, sections
from commands.stack_file import StackFile
from settings import BuildSettings, SourceError, check_source, load
from settings.service import Service
from settings.source import source_folder, working_tree_version
from settings.stack_config import read
from settings.stack_file import path_of
from settings.string_formats import SERVICE_NAME
from settings.yaml_writer import to_yaml_line

FIRST_VERSION = "0.1.0"
"""Version of a service whose source has no ``VERSION`` file."""


def entry(name: str, source: str, host: str, build: Mapping[str, str]) -> str:
    """Return the lines of a new service, as in a stack file.

    ``build`` has the keys of ``image.build``.
    """
    lines = [
        f"    {name}:",
        f"      source: {to_yaml_line(source)}",
        *([f"      image: {to_yaml_line({'build': dict(build)})}"] if build else []),
        "      release:",
        "        stable:",
        f"          version: {working_tree_version(source) or FIRST_VERSION}",
        # Not at the end: Pulumi moves comments to the column of the last key before them.
        "      # Other keys with their defaults; docs/configuration.md describes all of them.",
        *(f"      {line}" for line in _examples(except_for="image" if build else "")),
        "      routing:",
        f"        hosts: [{to_yaml_line(host)}]",
    ]
    return "".join(f"{line}\n" for line in lines)


def _examples(except_for: str) -> Iterator[str]:
    (services,) = (section for section in sections() if section.name == SERVICES)
    for key in services.keys:
        if key.name not in ("source", "release", "routing", except_for):
            description = key.description.partition(". ")[0].rstrip(".")
            yield f"#{key.name}: {_default(key)} # {description}"


def _default(key: Key) -> str:
    if key.keys and key.default is not None:
        return "{}"  # its keys have their defaults
    return to_yaml_line(None if key.default is REQUIRED else key.default)


def default_host(name: str, services: Mapping[str, Service]) -> str:
    """Host of a new service: ``name`` in the domain of the first routed service of the stack."""
    hosts = [one.routing.hosts[0] for one in services.values() if one.routing]
    domain = hosts[0].partition(".")[2] if hosts else "localhost"
    return f"{name}.{domain}" if domain else name


def build_keys(name: str, source: str, main_package: str) -> Mapping[str, str]:
    """Return the keys of ``image.build`` that a source needs.

    Raises :class:`CommandError` if there are several main packages and ``main_package`` is empty.
    """
    # Not validated: the file with the new service is.
    build = BuildSettings().model_copy(update={"main_package": main_package or None})
    try:
        check_source(source, build, name)
    except SourceError as error:
        if error.suggestion:  # the only key with one
            build = build.model_copy(update={"context": error.suggestion})
    try:
        check_source(source, build, name)
    except SourceError as error:
        if error.error.key == "image.build.mainPackage":
            raise CommandError(f"MAIN_PACKAGE={main_package}: {error}") from None
    keys = {"context": build.context, "mainPackage": build.main_package}
    return {key: value for key, value in keys.items() if value}


def create(stack: str, name: str, source: str, host: str = "", main_package: str = "") -> str:
    """Add the service to the file of ``stack``; return its host.

    Raises :class:`CommandError` or :class:`SettingsError`; the file is unchanged then.
    """
    if not SERVICE_NAME.matches(name):
        raise CommandError(f"NAME={name} is not a name of a service: use {SERVICE_NAME.allowed}")
    # A stack file without services is invalid until the first one is added.
    services = load(stack).services if read(path_of(stack)).get("services") else {}
    if name in services:
        raise CommandError(f"{path_of(stack).name} has a service {name} already: it is unchanged")
    if not source_folder(source).is_dir():
        raise CommandError(f"SOURCE={source} is not a folder: use a path relative to the project")
    host = host or default_host(name, services)
    file = StackFile(stack)
    file.add_service(name, entry(name, source, host, build_keys(name, source, main_package)))
    file.check(check_sources=True)
    file.save()
    return host


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.new_service", description=__doc__)
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True, help="folder, relative to the project")
    parser.add_argument(
        "--host", default="", help="host name; default: in the domain of the others"
    )
    parser.add_argument("--main-package", default="", help="package to build, like ./cmd/orders")
    options = parser.parse_args(arguments)
    host = create(options.stack, options.name, options.source, options.host, options.main_package)
    print(f"{path_of(options.stack).name}: service {options.name} of {options.source} at {host}")
    print(f"next: make diff STACK={options.stack}, make up STACK={options.stack}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
