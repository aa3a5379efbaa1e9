"""Fixtures of the commands that query a cluster."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from commands import kubectl
from commands.errors import FAILED, CommandError
from tests.unit.commands.fake_kubectl import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def no_kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kubectl` reaches no cluster, even where the machine of the tests has one."""

    def run(*_: str, **__: object) -> str:
        raise CommandError("cannot read the cluster: connection refused", FAILED)

    monkeypatch.setattr(kubectl, "_run", run)


@pytest.fixture
def console() -> Console:
    """A wide console without colors; its file has the output."""
    return Console(file=StringIO(), width=200)
