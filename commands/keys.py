"""Every key of a stack file as the schema of the settings has it: what documents are made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from settings import PROJECT, Settings
from settings.schema import allowed_values, resolve

REQUIRED: Any = object()
"""The default of a key that has none."""

_TYPES = {"boolean": "boolean", "integer": "integer", "number": "number", "string": "text"}


@dataclass(frozen=True)
class Key:
    """One key, or a section of keys."""

    name: str
    """As the stack file writes it: ``slipway:routing`` or ``host``."""
    path: str
    """From the top, as `pulumi config set --path` takes it: ``slipway:routing.host``."""
    meaning: str
    default: Any
    type: str
    bounds: str
    """What is allowed, in words."""
    is_secret: bool
    keys: tuple["Key", ...] = ()
    """Of a section."""

    def leaves(self) -> Iterator["Key"]:
        """Every key in it that is no section."""
        if not self.keys:
            yield self
        for key in self.keys:
            yield from key.leaves()


def sections() -> tuple[Key, ...]:
    """The sections of a stack file."""
    schema = Settings.model_json_schema()
    return tuple(
        _Schema(schema).key(f"{PROJECT}:{name}", "", node, is_required=name in schema["required"])
        for name, node in schema["properties"].items()
    )


def on_one_line(value: Any) -> str:  # noqa: ANN401
    """A value as a stack file writes it."""
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=True, width=4096)
    return text.removesuffix("\n").removesuffix("\n...")


@dataclass(frozen=True)
class _Schema:
    whole: Mapping[str, Any]

    def key(
        self,
        name: str,
        prefix: str,
        node: Mapping[str, Any],
        *,
        is_required: bool,
        default: Any = REQUIRED,  # noqa: ANN401
    ) -> Key:
        """The key of a node; ``default`` is what the section around it sets, if it does."""
        inner = resolve(self.whole, node)
        if default is REQUIRED and not is_required:
            default = node.get("default", REQUIRED)
        path = f"{prefix}{name}"
        is_secret = bool(inner.get("writeOnly"))
        is_section = "properties" in inner and not is_secret
        return Key(
            name=name,
            path=path,
            meaning=" ".join(str(node.get("description") or inner.get("description", "")).split()),
            default=default,
            type=_type(inner, is_section),
            bounds="" if is_section else allowed_values(self.whole, inner),
            is_secret=is_secret,
            keys=tuple(self._keys_of(inner, path, default)) if is_section else (),
        )

    def _keys_of(
        self,
        section: Mapping[str, Any],
        path: str,
        default: Any,  # noqa: ANN401
    ) -> Iterator[Key]:
        around = default if isinstance(default, dict) else {}
        required = section.get("required", ())
        for name, node in section["properties"].items():
            yield self.key(
                name,
                f"{path}.",
                node,
                is_required=name in required,
                default=around.get(name, REQUIRED),
            )


def _type(node: Mapping[str, Any], is_section: bool) -> str:
    if is_section:
        return "section"
    if node.get("writeOnly"):
        return "secret"
    if "enum" in node:
        return "choice"
    kind = node["type"]
    if isinstance(kind, list):
        return " or ".join(_TYPES[one] for one in kind)
    return {**_TYPES, "array": "list", "object": "mapping"}[kind]
