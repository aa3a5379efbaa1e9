"""Third-party versions."""

import pytest

from components import versions

PINNED = f"quay.io/prometheus/prometheus:v3.15.0@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("by_tag", "image"), [("", PINNED), ("true", "quay.io/prometheus/prometheus:v3.15.0")]
)
def test_images_have_digests_except_on_a_node_that_builds_them(
    by_tag: str, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(versions._IMAGES, "prometheus", PINNED)
    monkeypatch.setenv("SLIPWAY_IMAGES_BY_TAG", by_tag)
    assert versions.server_image("prometheus") == image
