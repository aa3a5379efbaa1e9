"""Settings for tests: a small stack, and changes to it."""

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
"""The keys without a default."""

CANARY: dict[str, Any] = {
    "strategy": "canary",
    "stable": {"version": "1.0.0", "digest": DIGEST},
    "canary": {"version": "1.1.0", "weight": 10},
}
"""A release with a canary that is built from the working tree."""


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        is_section = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = changed(merged[key], value) if is_section else value
    return merged


def settings(**changes: Any) -> Settings:
    """The smallest stack with changes, as a stack file writes them."""
    return Settings.model_validate(changed(SMALLEST, changes), by_name=False, by_alias=True)
