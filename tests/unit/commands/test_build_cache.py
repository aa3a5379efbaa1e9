"""Tests of the builds that begin while Pulumi starts."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands.build_cache import filled_build_cache
from settings.stack_file import PROJECT_FOLDER
from tests.cluster.project import wait_until
from tests.unit.stacks import DIGEST, HELLO, settings


def fake_buildx(folder: Path) -> Path:
    """Write a command that writes its arguments to the returned file."""
    buildx, built = folder / "buildx", folder / "built"
    buildx.write_text(f'#!/bin/sh\necho "$*" > {built}\nexec /bin/sleep 60\n')
    buildx.chmod(0o700)
    return built


@pytest.mark.parametrize(
    ("service", "is_built"),
    [
        ({}, True),
        ({"release": {"stable": {"version": "1.0.0", "digest": DIGEST}}}, False),
        (
            {"image": {"build": {"secrets": {"token": {"secure": "v1:YWFhYWFhYWFhYWFhYWFhYQ=="}}}}},
            False,
        ),
        ({"source": "no/such/folder"}, False),
    ],
)
def test_an_image_is_built_that_pulumi_will_build_without_secrets(
    tmp_path: Path, service: dict[str, object], is_built: bool
) -> None:
    built = fake_buildx(tmp_path)
    stack = settings(services={"beacon": {"source": HELLO, **service}})
    environment = {"PATH": str(tmp_path)}
    with filled_build_cache(stack.services.values(), stack.builder, environment, {}, ""):
        if is_built:
            wait_until("a build", lambda: built.is_file() and HELLO in built.read_text(), 20, 0.05)
    assert built.exists() == is_built


@pytest.mark.parametrize(
    ("deployed", "seconds", "is_built"),
    [("1.0.0", 0, False), ("1.0.0", 1, True), ("0.9.0", 0, True)],
    ids=["unchanged", "a changed file", "a new version"],
)
def test_a_deployed_version_is_built_only_if_its_source_has_changed_since(
    tmp_path: Path, deployed: str, seconds: int, is_built: bool
) -> None:
    built, folder = fake_buildx(tmp_path), PROJECT_FOLDER / HELLO
    changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    since = datetime.fromtimestamp(changed - seconds, UTC).isoformat()
    stack = settings(services={"beacon": {"source": HELLO}})
    services, environment = stack.services.values(), {"PATH": str(tmp_path)}
    state = {"beacon": [deployed]}, since
    with filled_build_cache(services, stack.builder, environment, *state):
        if is_built:
            wait_until("a build", built.is_file, 20, 0.05)
    assert built.exists() == is_built
