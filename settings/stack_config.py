"""Configuration of a stack: its file, merged over that of the stack which it extends."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings import stack_file
from settings.defaults import is_encrypted, merge
from settings.errors import FieldError, SettingsError, dotted, suggestion
from settings.schema import EXTENDS, PROJECT, accepts_null, child_node, model_schema, node_at
from settings.stack import Settings
from settings.stack_file import read_own, stack_files, stack_of
from settings.yaml_reader import Location

_MISSING = object()
_VERSIONS = ("stable", "canary", "idle")
"""Keys of ``release`` with a version. Its digest and weight belong to no other version."""


@dataclass(frozen=True)
class Origin:
    """The line of a stack file that has a value."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


@dataclass(frozen=True)
class StackConfig:
    """Sections of a stack file by name, without those of other namespaces; not validated."""

    path: Path
    own: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Sections of the file itself, with ``extends``."""
    sections: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Sections of the stack, without ``extends``: those of the file, merged over the base's."""
    base: "StackConfig | None" = None
    """The stack that the file extends."""
    lines: Mapping[Location, int] = field(default_factory=dict[Location, int])
    """Line of each key and list item of the file."""

    @classmethod
    def read(cls, path: Path) -> "StackConfig":
        """Read a stack file and those that it extends. Raises :class:`SettingsError`."""
        return _read(path, ())

    def origin(self, location: Location) -> Origin | None:
        """The line with the value at a location in :attr:`sections`, or else with its section."""
        while location:
            if found := self.exact_origin(location):
                return found
            location = location[:-1]
        return None

    def exact_origin(self, location: Location) -> Origin | None:
        """The line with the value at a location in :attr:`sections`. None: no file has it.

        The value of a service may be that of ``slipway:defaults``.
        """
        for one in (location, _in_defaults(location)):
            for config in self._chain():
                if line := config.lines.get(one):
                    return Origin(config.path, line)
        return None

    @contextmanager
    def origins_in_errors(self) -> Iterator[None]:
        """Add the line of another file to the errors of the values that are in it."""
        try:
            yield
        except SettingsError as error:
            if self.base is None:
                raise
            raise SettingsError(self.path.name, [*map(self._with_origin, error.errors)]) from None

    def _with_origin(self, error: str) -> str:
        key = error.partition(" ")[0].removeprefix(f"{PROJECT}:")
        origin = self.origin(_location(key))
        return error if origin is None or origin.path == self.path else f"{error} ({origin})"

    def _chain(self) -> Iterator["StackConfig"]:
        yield self
        if self.base:
            yield from self.base._chain()


def read(path: Path) -> Mapping[str, Any]:
    """Read the sections of a stack, by name, without validating them.

    They are those of its file, merged over those of the stack that it extends. Keys of other
    namespaces, such as a provider's, are omitted. Raises :class:`SettingsError`.
    """
    return StackConfig.read(path).sections


def merged(sections: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Merge sections over those of the stack that they extend.

    ``path`` is that of their stack file. Raises :class:`SettingsError`.
    """
    return _merged(sections, path, _base(sections, path, ()))


def _read(path: Path, extending: tuple[str, ...]) -> StackConfig:
    own, lines = read_own(path)
    base = _base(own, path, extending)
    return StackConfig(path, own, _merged(own, path, base), base, lines)


def _base(
    sections: Mapping[str, Any], path: Path, extending: tuple[str, ...]
) -> StackConfig | None:
    """The stack that sections extend. ``extending`` are the files that extend this one."""
    if EXTENDS not in sections:
        return None
    name, files = sections[EXTENDS], (*extending, path.name)
    # A file in a temporary folder extends a stack of the project.
    folders = (stack_file.PROJECT_FOLDER, path.parent)
    found = {stack_of(one): one for folder in folders for one in stack_files(folder)}
    file = found.get(name) if isinstance(name, str) else None
    if file is None:
        others = sorted(found.keys() - {stack_of(path)})
        raise _extends_error(path, name, f"the name of a stack: {suggestion(str(name), others)}")
    if file.name in files:
        cycle = " extends ".join((*files[files.index(file.name) :], file.name))
        raise _extends_error(path, name, f"a stack that does not extend this one: {cycle}")
    return _read(file, files)


def _extends_error(path: Path, name: object, allowed: str) -> SettingsError:
    return SettingsError(path.name, [str(FieldError(f"{PROJECT}:{EXTENDS}", name, allowed))])


def _merged(sections: Mapping[str, Any], path: Path, base: StackConfig | None) -> Mapping[str, Any]:
    own = {name: section for name, section in sections.items() if name != EXTENDS}
    if base is None:
        return own
    both = (base.sections.get("defaults", {}), own.get("defaults", {}))
    defaults = merge(*both, lambda key: _accepts_null(("defaults", *key)))

    def keeps_null(key: Location) -> bool:
        # Pulumi refuses a section that is null, so the validation does, too. In a service, null
        # removes the value of `slipway:defaults` as well.
        inherited = _in_defaults(key)
        is_default = inherited != key and _at({"defaults": defaults}, inherited) is not _MISSING
        return len(key) == 1 or is_default or _accepts_null(key)

    def replaces(key: Location) -> bool:
        return key[0] == "services" and is_version(key[2:])

    result = merge(base.sections, own, keeps_null, replaces=replaces)
    if errors := [*_secret_errors(base, own, result, path)]:
        raise SettingsError(path.name, errors)
    return result


def is_version(key: Location) -> bool:
    """True if the key of a service is a version of its release, which replaces that of a base."""
    return key[:-1] == ("release",) and key[-1] in _VERSIONS


def _secret_errors(
    base: StackConfig, own: Mapping[str, Any], result: Mapping[str, Any], path: Path
) -> Iterator[str]:
    """Encrypted values of the base in the merged sections, which another key has encrypted."""
    for key in _encrypted(base.sections):
        if _at(own, key) is _MISSING and _at(result, key) == _at(base.sections, key):
            name = f"{PROJECT}:{dotted(key)}"
            yield (
                f"{name} is encrypted for the stack of {base.origin(key)}, whose key this stack "
                f"does not have: set it with `pulumi config set --secret --path {name} --stack "
                f"{stack_of(path)}`, set null to have none, or use a source that stacks can share, "
                "such as sops"
            )


def _encrypted(value: object, key: Location = ()) -> Iterator[Location]:
    match value:
        case dict() if is_encrypted(value):
            yield key
        case dict():
            for name, inner in value.items():
                yield from _encrypted(inner, (*key, name))
        case list():
            for index, inner in enumerate(value):
                yield from _encrypted(inner, (*key, index))


def _at(value: object, key: Location) -> object:
    for part in key:
        match value:
            case dict() if part in value:
                value = value[part]
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                return _MISSING
    return value


def _in_defaults(location: Location) -> Location:
    """The location in ``slipway:defaults`` of a key of a service."""
    match location:
        case ("services", _, *key) if key:
            return ("defaults", *key)
    return location


def _location(key: str) -> Location:
    """The location of a key in a message, like ``routing.paths[1]``."""
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", key)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def _accepts_null(key: Location) -> bool:
    """True if a key may be ``null``."""
    *parent, name = key
    schema = model_schema(Settings)
    return accepts_null(child_node(schema, node_at(schema, parent), name))
