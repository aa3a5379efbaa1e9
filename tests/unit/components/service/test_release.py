"""Which versions run, and the share of requests each is to get."""

from typing import Any

import pytest

from components.service.release import Release
from tests.unit.components.service.template import template
from tests.unit.harness import Registry, run
from tests.unit.stacks import CANARY, settings

IMAGES = {"stable": "registry/beacon@sha256:old", "canary": "registry/beacon@sha256:new"}


def release(images: dict[Any, str] | None = None, **changes: Any) -> Release:
    stack = settings(**changes)
    tracks = stack.release.tracks
    return Release(
        "beacon",
        {
            "release": stack.release,
            "images": images or {track: IMAGES[track] for track in tracks},
            "workload": template(stack),
        },
    )


def released(**changes: Any) -> Registry:
    return run(lambda: release(**changes))


def shares(**changes: Any) -> dict[str, int]:
    made: list[Release] = []
    run(lambda: made.append(release(**changes)))
    return {backend.track: backend.weight for backend in made[0].backends}


def test_rolling_has_one_track() -> None:
    registry = released()
    assert registry.named("Deployment") == registry.named("Service") == {"beacon-stable"}
    assert shares() == {"stable": 100}


def test_a_canary_runs_beside_stable_with_the_same_objects() -> None:
    registry = released(release=CANARY)
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap"):
        assert registry.named(kind) == {"beacon-stable", "beacon-canary"}
    assert shares(release=CANARY) == {"stable": 90, "canary": 10}


def test_the_canarys_service_is_there_before_and_after_the_canary() -> None:
    registry = released(release={"strategy": "canary"})
    assert registry.named("Service") == {"beacon-stable", "beacon-canary"}
    assert registry.named("Deployment") == {"beacon-stable"}
    assert shares(release={"strategy": "canary"}) == {"stable": 100, "canary": 0}


def test_each_track_runs_its_own_image_and_says_which_version_it_is() -> None:
    registry = released(release=CANARY)
    for track, version in (("stable", "1.0.0"), ("canary", "1.1.0")):
        template = registry.one("Deployment", f"beacon-{track}")["spec"]["template"]
        assert template["spec"]["containers"][0]["image"] == IMAGES[track]
        assert template["metadata"]["labels"]["app.kubernetes.io/version"] == version


def test_a_service_selects_the_pods_of_its_track_only() -> None:
    registry = released(release=CANARY)
    for track in ("stable", "canary"):
        service = registry.one("Service", f"beacon-{track}")["spec"]
        pods = registry.one("Deployment", f"beacon-{track}")["spec"]["template"]["metadata"]
        assert service["selector"].items() <= pods["labels"].items()
        assert service["selector"]["track"] == track
        assert service["ports"][0]["targetPort"] == "http"


def test_an_image_for_a_track_that_does_not_run_is_refused() -> None:
    with pytest.raises(ValueError, match=r"images are of \['canary', 'stable'\]: use \['stable'\]"):
        run(lambda: release(images=IMAGES))


def test_the_outputs_name_what_runs() -> None:
    made: list[Release] = []
    run(lambda: made.append(release(release=CANARY)))
    assert made[0].stable == {"version": "1.0.0", "image": IMAGES["stable"]}
    assert made[0].canary == {"version": "1.1.0", "image": IMAGES["canary"], "weight": 10}


def test_there_is_no_canary_in_the_outputs_where_none_runs() -> None:
    run(lambda: None if release().canary is None else pytest.fail("there is a canary"))
