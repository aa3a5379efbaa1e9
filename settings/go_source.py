"""Go source of a service: its module, main package and version variable.

Found by reading the files, because a machine that runs the Pulumi program need not have Go.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from settings.build import BuildSettings
from settings.errors import MISSING, FieldError
from settings.go_packages import PackageReader, directives, module_path
from settings.source import source_folder

_MAX_CANDIDATES = 8

_VERSION_PACKAGES = ("version", "buildinfo")
_VERSION_NAMES = ("version", "Version", "VERSION")


class SourceError(Exception):
    """The source cannot be built. The key of the error is relative to the service.

    ``suggestion`` is the value to use for the key, if there is only one.
    """

    def __init__(
        self, key: str, value: object, allowed: str, suggestion: str | None = None
    ) -> None:
        self.error = FieldError(key, value, allowed)
        self.suggestion = suggestion
        super().__init__(str(self.error))


@dataclass(frozen=True)
class GoProgram:
    """The program that a service's source compiles to."""

    context: str
    """Folder with all files of the build, relative to the project."""
    folder: str
    """Source folder, relative to :attr:`context`."""
    main_package: str
    """Relative to the source folder, like ``./cmd/shop``."""
    version_variable: str | None
    """Variable for ``-ldflags -X``. ``None``: the program has none."""
    has_downloadable_modules: bool
    """False in a workspace or with a ``vendor`` folder: `go mod download` is not for them."""


def own_dockerfile(source: str, build: BuildSettings) -> str | None:
    """Path of the source's own Dockerfile, relative to the project. ``None``: use none.

    Raises :class:`SourceError` if the one that the settings name does not exist.
    """
    name = build.dockerfile_name
    if name and (source_folder(source) / name).is_file():
        return f"{source}/{name}"
    if build.dockerfile:
        raise SourceError("image.build.dockerfile", name, f"a file in {source}")
    return None


def check_source(source: str, build: BuildSettings, service: str) -> None:
    """Raise :class:`SourceError` if no image can be built from ``source``."""
    if not source_folder(source).is_dir():
        raise SourceError("source", source, "a folder that exists, relative to the project")
    if build.context and not source_folder(build.context).is_dir():
        allowed = "a folder that exists, relative to the project"
        raise SourceError("image.build.context", build.context, allowed)
    dockerfile = own_dockerfile(source, build)
    if dockerfile is None:
        _check_keys_of_own_dockerfile(build)
        find_program(source, build, service)
    elif build.cgo:
        raise SourceError("image.build.cgo", build.cgo, f"false with {dockerfile}")
    elif build.base_image:
        allowed = f"none with {dockerfile}, which names it"
        raise SourceError("image.build.baseImage", build.base_image, allowed)


def _check_keys_of_own_dockerfile(build: BuildSettings) -> None:
    if build.target:
        raise SourceError("image.build.target", build.target, "none without a Dockerfile")
    for name in build.secrets:
        if name != "netrc":
            allowed = 'the name "netrc", or a Dockerfile that mounts another secret'
            raise SourceError(f"image.build.secrets.{name}", "(encrypted)", allowed)


def find_program(source: str, build: BuildSettings, service: str) -> GoProgram:
    """Find the main package and the version variable of a source folder.

    Raises :class:`SourceError`.
    """
    folder = source_folder(source)
    if not folder.is_dir():
        raise SourceError("source", source, "a folder that exists, relative to the project")
    is_module, is_workspace = (folder / "go.mod").is_file(), (folder / "go.work").is_file()
    if not is_module and not is_workspace:
        raise SourceError("source", source, _folders_with_modules(folder, source))
    if is_module and not module_path(folder):
        raise SourceError("source", source, "a folder with a go.mod that has a module line")
    workspace = workspace_of(folder)
    context = _context(source, build, workspace)
    modules = _used_modules(workspace) if workspace else [folder.resolve()]
    tags = {*build.tags, *(["cgo"] if build.cgo else [])}
    reader = PackageReader(folder.resolve(), modules, tags)
    main_package = _main_package(reader, source, build, service)
    return GoProgram(
        context=context,
        folder=os.path.relpath(folder, source_folder(context)),
        main_package=main_package,
        version_variable=_version_variable(reader, main_package, build),
        has_downloadable_modules=workspace is None and not (folder / "vendor").is_dir(),
    )


def _folders_with_modules(folder: Path, source: str) -> str:
    below = sorted(folder.glob("*/go.mod")) or sorted(folder.glob("*/*/go.mod"))
    found = [path.parent.relative_to(folder).as_posix() for path in below]
    hint = f", such as {source}/{found[0]}" if found else ""
    return f"a folder with a go.mod or a Dockerfile{hint}"


def workspace_of(folder: Path) -> Path | None:
    """Folder of the ``go.work`` that uses the module in ``folder``. ``None``: there is none."""
    resolved = folder.resolve()
    for parent in (resolved, *resolved.parents):
        if (parent / "go.work").is_file():
            return parent if parent == resolved or resolved in _used_modules(parent) else None
    return None


def _used_modules(workspace: Path) -> list[Path]:
    paths = directives((workspace / "go.work").read_text(errors="replace"), "use")
    return [(workspace / path.strip('"`')).resolve() for path in paths]


def _context(source: str, build: BuildSettings, workspace: Path | None) -> str:
    folder = source_folder(source).resolve()
    context = build.context
    if context is None:
        context = source if workspace is None else _relative(source, folder, workspace)
    root = source_folder(context).resolve()
    if not folder.is_relative_to(root):
        raise SourceError("image.build.context", context, f"a folder that contains {source}")
    go_mod = folder / "go.mod"
    replaced = _local_replacements(go_mod) if go_mod.is_file() else {}
    for module, path in replaced.items():
        target = (folder / path).resolve()
        if not target.is_relative_to(root):
            common = _relative(source, folder, Path(os.path.commonpath([folder, target])))
            allowed = f"{common}: {source}/go.mod replaces {module} by {path}"
            raise SourceError("image.build.context", build.context or MISSING, allowed, common)
    return context


def _relative(source: str, folder: Path, parent: Path) -> str:
    """``parent`` of the resolved source folder, as a path relative to the project."""
    levels = len(folder.relative_to(parent).parts)
    return os.path.normpath(os.path.join(source, *[".."] * levels))  # noqa: PTH118  # may begin with ..


def _local_replacements(go_mod: Path) -> Mapping[str, str]:
    lines = directives(go_mod.read_text(errors="replace"), "replace")
    pairs = (line.partition("=>") for line in lines)
    return {
        old.split()[0]: new.strip().strip('"`')
        for old, _, new in pairs
        if new.strip().strip('"`').startswith(("./", "../"))
    }


def _main_package(reader: PackageReader, source: str, build: BuildSettings, service: str) -> str:
    key, named = "image.build.mainPackage", build.main_package
    if named and reader.package_name(reader.root / named) == "main":
        return named
    candidates = reader.main_packages()
    if named:
        raise SourceError(key, named, _listed(candidates) or f"a main package of {source}")
    if not candidates:
        raise SourceError("source", source, "a folder with a main package: it has none")
    if len(candidates) == 1:
        return candidates[0]
    for preferred in (".", f"./cmd/{service}"):
        if preferred in candidates:
            return preferred
    raise SourceError(key, MISSING, f"a main package of {source}: {_listed(candidates)}")


def _version_variable(reader: PackageReader, main_package: str, build: BuildSettings) -> str | None:
    main = reader.root / main_package
    if named := build.version_variable:
        _check_version_variable(reader, main, named)
        return named
    if name := _version_name(reader, main):
        return f"main.{name}"
    packages = (one for one in reader.folders() if one.name in _VERSION_PACKAGES and one != main)
    found = [(folder, name) for folder in packages if (name := _version_name(reader, folder))]
    if len(found) != 1:
        return None
    ((folder, name),) = found
    return f"{reader.import_path(folder)}.{name}"


def _version_name(reader: PackageReader, folder: Path) -> str | None:
    variables = reader.string_variables(folder)
    return next((name for name in _VERSION_NAMES if name in variables), None)


def _check_version_variable(reader: PackageReader, main: Path, named: str) -> None:
    """The linker ignores a variable that does not exist. Other modules cannot be read here."""
    package, _, name = named.rpartition(".")
    module = module_path(reader.root) if (reader.root / "go.mod").is_file() else ""
    folder = main
    if package != "main":
        if not module or not f"{package}/".startswith(f"{module}/"):
            return
        folder = reader.root / package.removeprefix(module).lstrip("/")
    names = sorted(reader.string_variables(folder)) if folder.is_dir() else []
    if name not in names:
        listed = _listed([f"{package}.{one}" for one in names])
        allowed = f"a string variable of that package{f': {listed}' if listed else ''}"
        raise SourceError("image.build.versionVariable", named, allowed)


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:_MAX_CANDIDATES], *(["…"] if len(names) > _MAX_CANDIDATES else [])]
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else "".join(shown)
