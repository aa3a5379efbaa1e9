"""Stack settings for tests."""

from typing import Any

from settings import Settings

DIGEST = f"sha256:{'a' * 64}"
OTHER_DIGEST = f"sha256:{'b' * 64}"

SMALLEST: dict[str, Any] = {
    "namespace": {"name": "beacon-test"},
    "image": {"registry": "localhost:5000", "repository": "slipway/beacon"},
    "release": {"stable": {"version": "1.0.0"}},
    "routing": {"host": "beacon.localhost"},
}
"""Required keys only."""

CANARY: dict[str, Any] = {
    "strategy": "canary",
    "stable": {"version": "1.0.0", "digest": DIGEST},
    "canary": {"version": "1.1.0", "weight": 10},
}
"""Release section with a published stable version and a canary to build."""


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` deep-merged with ``changes``."""
    merged = dict(base)
    for key, value in changes.items():
        is_section = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = changed(merged[key], value) if is_section else value
    return merged


def settings(**changes: Any) -> Settings:
    """Return the smallest settings, deep-merged with ``changes`` as written in a stack file."""
    return Settings.model_validate(changed(SMALLEST, changes), by_name=False, by_alias=True)
