"""Tests of the builds that begin while Pulumi starts."""

from pathlib import Path

import pytest

from commands.build_cache import filled_build_cache
from tests.cluster.project import wait_until
from tests.unit.stacks import DIGEST, HELLO, settings


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
    buildx, built = tmp_path / "buildx", tmp_path / "built"
    buildx.write_text(f'#!/bin/sh\necho "$*" > {built}\nexec /bin/sleep 60\n')
    buildx.chmod(0o700)
    stack = settings(services={"beacon": {"source": HELLO, **service}})
    environment = {"PATH": str(tmp_path)}
    with filled_build_cache(stack.services.values(), stack.builder, environment):
        if is_built:
            wait_until("a build", lambda: built.is_file() and HELLO in built.read_text(), 20, 0.05)
    assert built.exists() == is_built
