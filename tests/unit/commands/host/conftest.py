"""The folder that `make host` writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.host import __main__ as host
from commands.host.image_process import ImageProcess
from tests.unit.stacks import DIGEST, HELLO, changed, sections

PUBLISHED = {"stable": {"version": "1.0.0", "digest": DIGEST}}

WriteHost = Callable[..., int]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder that is written."""
    return tmp_path / "out"


@pytest.fixture
def write_host(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> WriteHost:
    """Returns a function that writes the folder of a stack with changes; returns the exit code."""
    process = ImageProcess(("/app",), ("--serve",), {"PATH": "/opt/bin:/bin"}, "/srv")
    monkeypatch.setattr(host, "with_builder", dict)
    monkeypatch.setattr(host, "registry_login", lambda *_: {})
    monkeypatch.setattr(host, "image_process", lambda *_: process)
    monkeypatch.setattr(host, "probe_programs", lambda _: {"programs/probe-amd64": b"\x7fELF"})

    def write(stack_name: str = "test", **changes: Any) -> int:
        release = changed(PUBLISHED, changes.pop("release", {}))
        stack = sections(**{"source": HELLO, "release": release, **changes})
        file = tmp_path / f"Pulumi.{stack_name}.yaml"
        file.write_text(yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in stack.items()}}))
        return host.main([f"--stack={file}", f"--out={out}"])

    return write
