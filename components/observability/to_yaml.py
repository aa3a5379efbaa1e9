"""YAML of configuration files."""

from collections.abc import Mapping
from typing import Any

import yaml

from settings.yaml_writer import NoAliasDumper


def to_yaml(config: Mapping[str, Any]) -> str:
    """YAML of ``config`` in its own key order."""
    return yaml.dump(config, Dumper=NoAliasDumper, sort_keys=False, width=1000)
