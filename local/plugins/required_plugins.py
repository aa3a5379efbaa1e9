"""Resource plugins that installed SDKs need."""

import json
from collections.abc import Iterator
from pathlib import Path


def required_plugins(packages: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each resource plugin that the SDKs in a `site-packages` folder need."""
    for file in sorted(packages.glob("*/pulumi-plugin.json")):
        plugin = json.loads(file.read_text())
        if plugin.get("resource") and plugin.get("version"):
            yield plugin["name"], plugin["version"].removeprefix("v")
