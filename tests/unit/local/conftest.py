"""What the tests of the ground have in common."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short name: the node keeps Unix sockets in it."""
    return tmp_path_factory.mktemp("t")
