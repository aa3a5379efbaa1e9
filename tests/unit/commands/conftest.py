"""Fixtures of the commands that query a cluster."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.commands.fake_kubectl import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def console() -> Console:
    """A wide console without colors; its file has the output."""
    return Console(file=StringIO(), width=200)
