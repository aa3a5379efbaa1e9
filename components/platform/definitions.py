"""CustomResourceDefinitions of the operators."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def definitions(operator: str) -> Sequence[Mapping[str, Any]]:
    """Return the definitions of ``crds/<operator>.yaml``."""
    return [*_parse((Path(__file__).parent / "crds" / f"{operator}.yaml").read_text())]


def _parse(text: str) -> Iterator[Mapping[str, Any]]:
    for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
        yield from document if isinstance(document, list) else (document,)
