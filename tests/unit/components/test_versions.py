"""Third-party versions."""

import importlib
from pathlib import Path

import pytest

from components import versions

PINNED = f"quay.io/prometheus/prometheus:v3.15.0@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("by_tag", "image"), [("", PINNED), ("true", "quay.io/prometheus/prometheus:v3.15.0")]
)
def test_images_have_digests_except_on_a_node_that_builds_them(
    by_tag: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(versions.__file__).parent.parent.joinpath("versions.yaml").read_text()
    text = text.replace("quay.io/prometheus/prometheus:v3.15.0", PINNED)
    monkeypatch.setattr(Path, "read_text", lambda _: text)
    monkeypatch.setenv("SLIPWAY_IMAGES_BY_TAG", by_tag)
    try:
        assert importlib.reload(versions).IMAGES["prometheus"] == image
    finally:
        monkeypatch.undo()
        importlib.reload(versions)
