"""Which images run."""

import re
from collections.abc import Iterator

from policy.objects import UNKNOWN, Object
from policy.rule import Stack, rule

_BY_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")


@rule("images-by-digest")
def by_digest(one: Object, stack: Stack) -> Iterator[str]:
    """An image is named by digest, or it is a release that versions.yaml pins.

    Third-party servers are pinned by tag, in one reviewed place: on a machine without an image
    registry they are built from source, so no digest would be right everywhere.
    """
    for container in one.pod.containers if one.pod else ():
        image = str(container.spec.get("image", ""))
        if image != UNKNOWN and image not in stack.images and not _BY_DIGEST.fullmatch(image):
            yield (
                f"container {container.name} runs {image or 'no image'}: name it by digest"
                " (name@sha256:…), or list a third-party release in versions.yaml"
            )
