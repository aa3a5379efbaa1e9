"""Documentation of every key of a stack file, from the JSON schema of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from settings import PROJECT, Settings
from settings.schema import allowed_values, model_schema, resolve, value_node

DEFAULTS = f"{PROJECT}:defaults"
"""Section with the keys of a service."""
SERVICES = f"{PROJECT}:services"
NAME = "<name>"
"""Stands for a name in a path."""
ENCRYPTED = "secure"
"""Key of an encrypted value."""
REQUIRED: Any = object()
"""Default of a key without a default."""

_TYPES = {"boolean": "boolean", "integer": "integer", "number": "number", "string": "string"}


@dataclass(frozen=True)
class Key:
    """A key, or a section of keys."""

    name: str
    """Name in the stack file, like ``slipway:routing`` or ``host``."""
    path: str
    """Path for `pulumi config set --path`, like ``slipway:routing.hosts``."""
    description: str
    default: Any
    type: str
    allowed: str
    """Allowed values."""
    is_secret: bool
    keys: tuple["Key", ...] = ()
    """Keys of a section."""
    has_names: bool = False
    """True for a mapping of names to sections with these keys."""

    def leaves(self) -> Iterator["Key"]:
        """Yield every key that is not a section."""
        if not self.keys:
            yield self
        for key in self.keys:
            yield from key.leaves()


@cache
def sections() -> tuple[Key, ...]:
    """Return the sections of a stack file."""
    schema = model_schema(Settings)
    return tuple(
        _Schema(schema).key(f"{PROJECT}:{name}", "", node, is_required=name in schema["required"])
        for name, node in schema["properties"].items()
    )


@dataclass(frozen=True)
class _Schema:
    root: Mapping[str, Any]

    def key(
        self,
        name: str,
        prefix: str,
        node: Mapping[str, Any],
        *,
        is_required: bool,
        default: Any = REQUIRED,  # noqa: ANN401
    ) -> Key:
        """Return the key of a node. ``default`` is the one from the default of its section."""
        resolved = resolve(self.root, node)
        if default is REQUIRED and not is_required:
            default = node.get("default", REQUIRED)
        path = f"{prefix}{name}"
        is_secret = _is_secret(resolved)
        named = _section_of_names(self.root, resolved)
        is_section = "properties" in resolved and not is_secret
        description = node.get("description") or resolved.get("description", "")
        return Key(
            name=name,
            path=path,
            description=" ".join(description.split()),
            default=default,
            type=_type(resolved, is_section),
            allowed="" if is_section or named else allowed_values(self.root, resolved),
            is_secret=is_secret,
            keys=self._keys_of(resolved, named, path, default, is_section=is_section),
            has_names=named is not None,
        )

    def _keys_of(
        self,
        node: Mapping[str, Any],
        named: Mapping[str, Any] | None,
        path: str,
        default: Any,  # noqa: ANN401
        *,
        is_section: bool,
    ) -> tuple[Key, ...]:
        if named is not None:
            return tuple(self._keys(named, f"{path}.{NAME}", {}))
        return tuple(self._keys(node, path, default)) if is_section else ()

    def _keys(
        self,
        section: Mapping[str, Any],
        path: str,
        default: Any,  # noqa: ANN401
    ) -> Iterator[Key]:
        defaults = default if isinstance(default, dict) else {}
        required = section.get("required", ())
        for name, node in section["properties"].items():
            if name == ENCRYPTED:
                continue
            yield self.key(
                name,
                f"{path}.",
                node,
                is_required=name in required,
                default=defaults.get(name, REQUIRED),
            )


def _section_of_names(root: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The section that is the value of each name in a mapping of names to sections."""
    resolved = resolve(root, value_node(node)) if node.get("type") == "object" else {}
    return resolved if "properties" in resolved and not _is_secret(resolved) else None


def _is_secret(node: Mapping[str, Any]) -> bool:
    """True for an encrypted value; false for a section that is one or that has keys."""
    return [*node.get("properties", ())] == [ENCRYPTED]


def _type(node: Mapping[str, Any], is_section: bool) -> str:
    if is_section:
        return "section"
    if _is_secret(node):
        return "secret"
    if "enum" in node:
        return "enum"
    kind = node["type"]
    if isinstance(kind, list):
        return " or ".join(_TYPES[one] for one in kind)
    return {**_TYPES, "array": "list", "object": "mapping"}[kind]
