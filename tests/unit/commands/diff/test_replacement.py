"""Fields that replace an object."""

from typing import Any

import pytest

from commands.diff.fields import Path
from commands.diff.replacement import replaces


def content(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("changed", "path", "expected"),
    [
        (content("v1", "ConfigMap"), ("data", "a"), False),
        (content("v1", "ConfigMap", immutable=True), ("data", "a"), True),
        (content("v1", "Secret"), ("type",), True),
        (content("apps/v1", "Deployment"), ("spec", "selector", "matchLabels", "a"), True),
        (content("apps/v1", "Deployment"), ("spec",), True),
        (content("apps/v1", "Deployment"), ("spec", "template", "metadata"), False),
        (content("example.com/v1", "Deployment"), ("spec", "selector"), False),
    ],
)
def test_an_immutable_field_replaces_the_object(
    changed: dict[str, Any], path: Path, expected: bool
) -> None:
    assert replaces(path, changed) is expected
