"""Puts the plugins where the unmodified Pulumi CLI looks for them.

The CLI looks in `$PULUMI_HOME/plugins` for a folder `<kind>-<name>-v<version>` with an executable
`pulumi-<kind>-<name>` in it. Each executable here is a few lines of shell that start `launch.py` of
this checkout with the Python of its virtual environment, so there is nothing to keep up to date:
another checkout that is installed over this one points them at itself.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LAUNCH = Path(__file__).resolve().with_name("launch.py")
_PROVIDERS = {"docker-build", "kubernetes", "random"}
_LANGUAGE_VERSION = "3.250.0"
"""The language host that ships with the CLI has the CLI's version; the CLI itself asks for any."""


def install(plugins_dir: Path, venv_python: Path) -> None:
    """Install every plugin into `plugins_dir`, to run on `venv_python`.

    A resource provider gets the version that the SDK in the same virtual environment asks for. Each
    file is replaced in one step, so a running `pulumi` sees the old one or the new one.
    """
    # Not resolved: the link in the virtual environment is what makes its packages visible.
    python = venv_python.absolute()
    packages = next(python.parent.parent.glob("lib/python3*/site-packages"))
    _write(plugins_dir, "language", "python", _LANGUAGE_VERSION, python)
    for name, version in required_plugins(packages):
        if name in _PROVIDERS:
            _write(plugins_dir, "resource", name, version, python)


def required_plugins(packages: Path) -> Iterator[tuple[str, str]]:
    """The name and version of each resource plugin that the SDKs in a package folder ask for."""
    for file in sorted(packages.glob("*/pulumi-plugin.json")):
        described = json.loads(file.read_text())
        if described.get("resource") and described.get("version"):
            yield described["name"], described["version"].removeprefix("v")


def _write(plugins_dir: Path, kind: str, name: str, version: str, python: Path) -> None:
    folder = plugins_dir / f"{kind}-{name}-v{version}"
    folder.mkdir(parents=True, exist_ok=True)
    plugin = name if kind == "resource" else f"{kind}-{name}"
    command = shlex.join([str(python), "-P", str(_LAUNCH), plugin, version])
    _replace(folder / f"pulumi-{kind}-{name}", f'#!/bin/sh\nexec {command} "$@"\n')


def _replace(file: Path, content: str) -> None:
    if file.is_file() and file.read_text() == content:
        return
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content)
    Path(temporary).chmod(0o755)
    Path(temporary).replace(file)
