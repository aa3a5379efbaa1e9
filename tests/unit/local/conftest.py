"""Fixtures of the tests of local/."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a short name, since the paths of Unix sockets in it are limited."""
    return tmp_path_factory.mktemp("t")
