"""Configuration files as people read them."""

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.CSafeDumper):
    """YAML without references: each part stands where it is used."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml(config: Mapping[str, Any]) -> str:
    """``config`` in the order in which it is given."""
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, width=1000)
