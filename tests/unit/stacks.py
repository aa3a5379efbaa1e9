"""Stack settings for tests."""

from typing import Any

import pytest

from settings import Service, Settings
from settings.loader import validate
from settings.project import project_name
from settings.stack_file import PROJECT_FOLDER

needs_example = pytest.mark.skipif(
    not (PROJECT_FOLDER / "app").is_dir(), reason="the example service was removed"
)
"""Mark of tests of the example service and of the stack files that ship with it."""

DIGEST = f"sha256:{'a' * 64}"
OTHER_DIGEST = f"sha256:{'b' * 64}"

HELLO = "tests/cluster/services/hello"
"""Source that builds any version, for tests that check sources."""

BEACON: dict[str, Any] = {
    "source": "app",
    "release": {"stable": {"version": "1.0.0"}},
    "metrics": {},
    "routing": {"hosts": ["beacon.localhost"]},
}
"""Required keys of a service, and metrics."""
REPOSITORY = f"{project_name()}/beacon"
"""Default repository of the images of this service."""
SMALLEST: dict[str, Any] = {
    "namespace": {"name": "beacon-test"},
    "registry": {"host": "localhost:5000"},
    "services": {"beacon": BEACON},
}
"""Required keys only."""

CANARY: dict[str, Any] = {
    "strategy": "canary",
    "stable": {"version": "1.0.0", "digest": DIGEST},
    "canary": {"version": "1.1.0", "weight": 10},
}
"""Release section with a published stable version and a canary to build."""
BLUE_GREEN: dict[str, Any] = {
    "strategy": "blueGreen",
    "stable": {"version": "1.0.0", "digest": DIGEST},
    "idle": {"version": "1.1.0"},
}
"""Release section with a published version that is live and an idle one to build."""
GENERATED = "[b-df-hj-np-tv-xz24-9]*-?[b-df-hj-np-tv-xz24-9]{5}"
"""Regular expression of what Kubernetes appends to the name of a Deployment for that of a pod."""


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` deep-merged with ``changes``."""
    merged = dict(base)
    for key, value in changes.items():
        is_section = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = changed(merged[key], value) if is_section else value
    return merged


SERVICE_KEYS = {field.alias for field in Service.model_fields.values()}
"""Keys of a service in a stack file."""


def sections(**changes: Any) -> dict[str, Any]:
    """Return the smallest stack, deep-merged with ``changes`` as written in a stack file.

    Keys of a service, such as ``release``, are those of the service beacon.
    """
    beacon = {key: value for key, value in changes.items() if key in SERVICE_KEYS}
    stack = {key: value for key, value in changes.items() if key not in SERVICE_KEYS}
    return changed(changed(SMALLEST, {"services": {"beacon": beacon}}), stack)


def settings(**changes: Any) -> Settings:
    """Return the settings of :func:`sections`."""
    return validate("Pulumi.test.yaml", sections(**changes))


def service(**changes: Any) -> Service:
    """Return the service beacon of :func:`sections`."""
    return settings(**changes).services["beacon"]
