"""Documentation of every key of a stack file, from the JSON schema of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from settings import PROJECT, Settings
from settings.schema import allowed_values, resolve

REQUIRED: Any = object()
"""Default of a key without a default."""

_TYPES = {"boolean": "boolean", "integer": "integer", "number": "number", "string": "string"}


@dataclass(frozen=True)
class Key:
    """A key, or a section of keys."""

    name: str
    """Name in the stack file, like ``slipway:routing`` or ``host``."""
    path: str
    """Path for `pulumi config set --path`, like ``slipway:routing.host``."""
    description: str
    default: Any
    type: str
    allowed: str
    """Allowed values."""
    is_secret: bool
    keys: tuple["Key", ...] = ()
    """Keys of a section."""

    def leaves(self) -> Iterator["Key"]:
        """Yield every key that is not a section."""
        if not self.keys:
            yield self
        for key in self.keys:
            yield from key.leaves()


def sections() -> tuple[Key, ...]:
    """Return the sections of a stack file."""
    schema = Settings.model_json_schema()
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
        is_secret = bool(resolved.get("writeOnly"))
        is_section = "properties" in resolved and not is_secret
        description = node.get("description") or resolved.get("description", "")
        return Key(
            name=name,
            path=path,
            description=" ".join(description.split()),
            default=default,
            type=_type(resolved, is_section),
            allowed="" if is_section else allowed_values(self.root, resolved),
            is_secret=is_secret,
            keys=tuple(self._keys(resolved, path, default)) if is_section else (),
        )

    def _keys(
        self,
        section: Mapping[str, Any],
        path: str,
        default: Any,  # noqa: ANN401
    ) -> Iterator[Key]:
        defaults = default if isinstance(default, dict) else {}
        required = section.get("required", ())
        for name, node in section["properties"].items():
            yield self.key(
                name,
                f"{path}.",
                node,
                is_required=name in required,
                default=defaults.get(name, REQUIRED),
            )


def _type(node: Mapping[str, Any], is_section: bool) -> str:
    if is_section:
        return "section"
    if node.get("writeOnly"):
        return "secret"
    if "enum" in node:
        return "enum"
    kind = node["type"]
    if isinstance(kind, list):
        return " or ".join(_TYPES[one] for one in kind)
    return {**_TYPES, "array": "list", "object": "mapping"}[kind]
