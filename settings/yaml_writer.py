"""YAML for people: readable, and read back unchanged by :mod:`settings.yaml_reader`."""

from decimal import Decimal
from typing import Any

import yaml

from settings.yaml_reader import is_plain_string


class NoAliasDumper(yaml.CSafeDumper):
    """Writes no anchors and aliases: the reader of stack files rejects them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _Dumper(NoAliasDumper):
    """Adds the style of strings and numbers."""


def _represent_string(dumper: _Dumper, text: str) -> yaml.Node:
    # libyaml itself quotes plain strings with a special meaning in YAML 1.1.
    style = "|" if "\n" in text else None if is_plain_string(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_float(dumper: _Dumper, value: float) -> yaml.Node:
    text = f"{Decimal(repr(value)):f}".removesuffix(".0")
    tag = "tag:yaml.org,2002:float" if "." in text else "tag:yaml.org,2002:int"
    return dumper.represent_scalar(tag, text)


_Dumper.add_representer(str, _represent_string)
_Dumper.add_representer(float, _represent_float)


def to_yaml(value: Any, **options: Any) -> str:  # noqa: ANN401
    """Return ``value`` as a document; ``options`` are those of :func:`yaml.dump`."""
    return yaml.dump(value, Dumper=_Dumper, **options)


def to_yaml_line(value: Any) -> str:  # noqa: ANN401
    """Return ``value`` on one line."""
    text = to_yaml(value, default_flow_style=True, width=4096)
    return text.removesuffix("\n").removesuffix("\n...")
