"""What tests of commands that look at a stack have in common."""

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
    """Wide, without colours; what was printed is in its file."""
    return Console(file=StringIO(), width=200)
