"""Installs the plugins of the Pulumi CLI into a Pulumi home.

The CLI runs `$PULUMI_HOME/plugins/<kind>-<name>-v<version>/pulumi-<kind>-<name>`. Each such folder
holds all that its plugin needs, so no plugin depends on the checkout that installed it.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from local import files
from local.layout import Layout
from local.plugins.required_plugins import required_plugins
from local.recipes import PLATFORM

_PACKAGES = Path(sysconfig.get_path("purelib"))
_LIBRARIES = (
    "bcrypt",
    "google/_upb",  # protobuf in C; without it, protobuf falls back to Python
    "google/protobuf",
    "grpc",
    "pulumi/runtime/proto",
    "typing_extensions.py",
)
"""Packages that the Python plugins import. Importing all of the Pulumi SDK takes 0.4 s."""
_PROVIDERS = ("docker-build", "kubernetes")
PROGRAMS = ("pulumi", *(f"pulumi-resource-{name}" for name in _PROVIDERS))
"""Programs that have to be built for the CLI and its plugins."""


def install(at: Layout, plugins: Path) -> None:
    """Install into `plugins`, the folder of that name in a Pulumi home.

    Each provider gets the version that its SDK asks for. The ones of Pulumi's own have to be built.
    """
    # The CLI accepts any version of the language host; a release has the same as the CLI.
    cli = PLATFORM.version("pulumi").removeprefix("v")
    _install_python(plugins / f"language-python-v{cli}", "language_python", cli, "program")
    for name, version in required_plugins(_PACKAGES):
        folder = plugins / f"resource-{name}-v{version}"
        if name == "random":
            _install_python(folder, "random_provider", version)
        elif name in _PROVIDERS:
            program = f"pulumi-resource-{name}"
            _link(at.providers / program, folder / program)


def _install_python(folder: Path, module: str, version: str, *others: str) -> None:
    """Install a plugin that is a module of this package, with all that it imports and runs."""
    for name in _LIBRARIES:
        for file in [_PACKAGES / name, *(_PACKAGES / name).rglob("*")]:
            if file.suffix in {".py", ".so"}:
                _link(file, folder / file.relative_to(_PACKAGES))
    for name in ("__init__", "process", "required_plugins", module, *others):
        source = Path(__file__).with_name(f"{name}.py")
        files.write(folder / "local" / "plugins" / source.name, source.read_bytes())
    # The interpreter itself and not the checkout's link to it, without its own site-packages.
    python = Path(sys.executable).resolve()
    start = f"from local.plugins.{module} import main\nmain({version!r})\n"
    program = folder / f"pulumi-{folder.name.rpartition('-v')[0]}"
    files.write(program, f"#!{python} -ES\n{start}", files.EXECUTABLE)


def _link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy where it is on another disk.

    It is replaced in one step, so that a running `pulumi` sees the old file or the new one.
    """
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        temporary.hardlink_to(source)
    except OSError:
        shutil.copy2(source, temporary)
    temporary.replace(target)
