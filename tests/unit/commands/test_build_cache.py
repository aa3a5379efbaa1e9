"""Tests of the builds that begin while Pulumi starts."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import build_cache
from commands.build_cache import filled_build_cache
from settings import Service
from settings.stack_file import PROJECT_FOLDER
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
    with filled_build_cache(stack.services.values(), stack.builder, environment, {}, ""):
        if is_built:
            wait_until("a build", lambda: built.is_file() and HELLO in built.read_text(), 20, 0.05)
    assert built.exists() == is_built


@pytest.mark.parametrize(
    ("deployed", "seconds", "is_built"),
    [("1.0.0", -1, False), ("1.0.0", 1, True), ("0.9.0", -1, True)],
    ids=["unchanged", "a changed file", "a new version"],
)
def test_a_deployed_version_is_built_only_if_its_source_has_changed_since(
    monkeypatch: pytest.MonkeyPatch, deployed: str, seconds: int, is_built: bool
) -> None:
    started: list[str] = []

    def start(service: Service, *_: object) -> "subprocess.Popen[bytes]":
        started.append(service.name)
        return subprocess.Popen(["true"])

    monkeypatch.setattr(build_cache, "_start", start)
    folder = PROJECT_FOLDER / HELLO
    changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    since = datetime.fromtimestamp(changed - seconds, UTC).isoformat()
    stack = settings(services={"beacon": {"source": HELLO}})
    state = {"beacon": [deployed]}, since
    with filled_build_cache(stack.services.values(), stack.builder, {}, *state):
        assert started == (["beacon"] if is_built else [])
