"""Rules for containers: images, resources and probes."""

import re
from collections.abc import Iterator

from policy.objects import UNKNOWN, Object, get
from policy.rule import Stack, rule

_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
_RESOURCES = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_PROBES = ("livenessProbe", "readinessProbe")


@rule("image-digest")
def image_digest(obj: Object, stack: Stack) -> Iterator[str]:
    """Images are referenced by digest, unless versions.yaml pins them by tag.

    Third-party images are pinned by tag because a machine without a registry builds them from
    source, with another digest.
    """
    for container in obj.containers:
        image = str(container.spec.get("image", ""))
        if image != UNKNOWN and image not in stack.pinned_images and not _DIGEST.fullmatch(image):
            yield (
                f"container {container.name} runs {image or 'no image'}: reference it by digest"
                " (name@sha256:…), or add a third-party image to versions.yaml"
            )


@rule("resources")
def resources(obj: Object, _: Stack) -> Iterator[str]:
    """Containers have requests and limits for CPU and memory."""
    for container in obj.containers:
        missing = [
            f"resources.{field}"
            for field in _RESOURCES
            if not get(container.spec, "resources", *field.split("."))
        ]
        if missing:
            yield f"container {container.name}: set {', '.join(missing)}"


@rule("probes")
def probes(obj: Object, _: Stack) -> Iterator[str]:
    """Containers with ports have a liveness and a readiness probe, unless they complete."""
    if obj.pod is None or obj.pod.runs_to_completion:
        return
    for container in obj.containers:
        missing = [probe for probe in _PROBES if not container.spec.get(probe)]
        if missing and not container.is_init and container.spec.get("ports"):
            yield f"container {container.name}: add {' and '.join(missing)}"
