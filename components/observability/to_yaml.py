"""YAML of configuration files."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.CSafeDumper):
    """YAML without anchors and aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _BlockDumper(_Dumper):
    """Writes multi-line strings as literal blocks."""


def _represent_str(dumper: _BlockDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_BlockDumper.add_representer(str, _represent_str)


def to_yaml(config: Mapping[str, Any], *, literal_blocks: bool = False) -> str:
    """YAML of ``config`` in its own key order. ``literal_blocks``: for multi-line strings."""
    dumper = _BlockDumper if literal_blocks else _Dumper
    return yaml.dump(config, Dumper=dumper, sort_keys=False, width=1000)
