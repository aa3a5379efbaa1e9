"""YAML of configuration files."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.CSafeDumper):
    """YAML without anchors and aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def to_yaml(config: Mapping[str, Any]) -> str:
    """YAML of ``config`` in its own key order."""
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=1000)
