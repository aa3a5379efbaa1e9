"""Versions that run, and their percentage of requests."""

from typing import Any

import pytest

from components.service.release import Release
from tests.unit.components.service.template import template
from tests.unit.harness import Registry, run
from tests.unit.stacks import BLUE_GREEN, CANARY, DIGEST, changed, settings

IMAGES = {"stable": "registry/beacon@sha256:old", "canary": "registry/beacon@sha256:new"}


def released(images: dict[Any, str] | None = None, **changes: Any) -> tuple[Release, Registry]:
    stack = settings(**changes)
    beacon = stack.services["beacon"]
    releases: list[Release] = []
    registry = run(
        lambda: releases.append(
            Release(
                "beacon",
                {
                    "release": beacon.release,
                    "images": images or {track: IMAGES[track] for track in beacon.release.tracks},
                    "workload": template(stack),
                },
            )
        )
    )
    return releases[0], registry


def weights(release: Release) -> dict[str, int]:
    return {backend.track: backend.weight for backend in release.backends("http")}


def test_a_rolling_release_has_one_track() -> None:
    release, registry = released()
    assert registry.named("Deployment") == registry.named("Service") == {"beacon-stable"}
    assert weights(release) == {"stable": 100}
    assert release.canary is None


def test_a_canary_has_the_same_objects_as_stable() -> None:
    release, registry = released(release=CANARY, config={"debug": True})
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap"):
        assert registry.named(kind) == {"beacon-stable", "beacon-canary"}
    assert weights(release) == {"stable": 90, "canary": 10}


def test_the_service_of_the_canary_exists_without_a_running_canary() -> None:
    release, registry = released(release={"strategy": "canary"})
    assert registry.named("Service") == {"beacon-stable", "beacon-canary"}
    assert registry.named("Deployment") == {"beacon-stable"}
    service = registry.one("Service", "beacon-canary")
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert weights(release) == {"stable": 100, "canary": 0}
    assert release.canary is None


@pytest.mark.parametrize(("track", "version"), [("stable", "1.0.0"), ("canary", "1.1.0")])
def test_a_track_runs_its_own_image_behind_its_own_service(track: str, version: str) -> None:
    _, registry = released(release=CANARY)
    pods = registry.one("Deployment", f"beacon-{track}")["spec"]["template"]
    assert pods["spec"]["containers"][0]["image"] == IMAGES[track]
    assert pods["metadata"]["labels"]["app.kubernetes.io/version"] == version
    service = registry.one("Service", f"beacon-{track}")["spec"]
    assert service["selector"].items() <= pods["metadata"]["labels"].items()
    assert service["selector"]["track"] == track
    assert service["ports"][0]["targetPort"] == "http"


OLD_SETTINGS = {"config": {"message": "old"}}
IDLE_IS_NEXT = changed(BLUE_GREEN, {"stable": {"settings": OLD_SETTINGS}})
"""Before the promotion of 1.1.0."""
PROMOTED = {
    "strategy": "blueGreen",
    "blueGreen": {"live": "green", "keepWarmSeconds": 900},
    "stable": {"version": "1.1.0", "digest": DIGEST},
    "idle": {**IDLE_IS_NEXT["stable"], "wasLive": True},
}
"""After it."""
NEW_SETTINGS = {"config": {"message": "new"}}


def test_both_colors_have_all_objects_and_the_live_one_gets_the_requests() -> None:
    release, registry = released(release=BLUE_GREEN, config={"debug": True})
    colors = {"beacon-blue", "beacon-green"}
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ConfigMap"):
        assert registry.named(kind) == colors
    assert registry.named("Service") == {*colors, "beacon-stable"}
    live, idle = release.backends("http")
    assert (live.service, live.weight, idle.service, idle.weight) == (
        *("beacon-blue", 100),
        *("beacon-green", 0),
    )
    assert release.stable == {"version": "1.0.0", "image": IMAGES["stable"], "color": "blue"}
    assert release.canary == {
        "version": "1.1.0",
        "image": IMAGES["canary"],
        "color": "green",
        "weight": 0,
    }


def test_a_switch_changes_neither_pods_nor_settings_of_a_color() -> None:
    _, before = released(release=IDLE_IS_NEXT, **NEW_SETTINGS)
    images = {"stable": IMAGES["canary"], "canary": IMAGES["stable"]}
    release, after = released(images, release=PROMOTED, **NEW_SETTINGS)
    for color in ("blue", "green"):
        old, new = objects_of(before, color), objects_of(after, color)
        autoscalers = [one.pop("HorizontalPodAutoscaler") for one in (old, new)]
        assert old == new
        assert all(autoscalers)
    assert [one.service for one in release.backends("http")] == ["beacon-green", "beacon-blue"]


def test_the_idle_color_keeps_its_pods_for_a_time_after_the_switch() -> None:
    images = {"stable": IMAGES["canary"], "canary": IMAGES["stable"]}
    _, registry = released(images, release=PROMOTED)
    windows = {
        color: registry.one("HorizontalPodAutoscaler", f"beacon-{color}")["spec"]["behavior"][
            "scaleDown"
        ]["stabilizationWindowSeconds"]
        for color in ("green", "blue")
    }
    assert windows == {"green": 300, "blue": 900}


def test_inside_the_cluster_the_name_of_a_service_is_the_same_with_every_strategy() -> None:
    for release, track in ((CANARY, "stable"), (BLUE_GREEN, "blue"), (PROMOTED, "green")):
        _, registry = released(dict.fromkeys(("stable", "canary"), "image"), release=release)
        service = registry.urn_of("Service", "beacon-stable")
        assert registry.resources[service].inputs["spec"]["selector"]["track"] == track
        # Its selector moves to pods that are ready.
        pods = registry.urn_of("Deployment", f"beacon-{track}")
        assert pods in registry.dependencies_of(service)


def test_an_image_of_a_track_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"images are of \['canary', 'stable'\]: use \['stable'\]"):
        released(images=IMAGES)


def test_the_outputs_contain_the_running_versions() -> None:
    release, _ = released(release=CANARY)
    assert release.stable == {"version": "1.0.0", "image": IMAGES["stable"]}
    assert release.canary == {"version": "1.1.0", "image": IMAGES["canary"], "weight": 10}


def test_a_worker_has_no_service() -> None:
    _, registry = released(ports={}, routing=None, metrics=None)
    assert registry.of_kind("Service") == []
    assert registry.named("Deployment") == {"beacon-stable"}


def test_a_service_without_routing_is_reached_inside_the_cluster() -> None:
    _, registry = released(routing=None)
    assert registry.named("Service") == {"beacon-stable"}


@pytest.mark.parametrize(
    ("protocol", "app_protocol"),
    [("http", None), ("h2c", "kubernetes.io/h2c"), ("grpc", "kubernetes.io/h2c")],
)
def test_a_service_has_all_ports_but_that_of_metrics(
    protocol: str, app_protocol: str | None
) -> None:
    release, registry = released(
        ports={"http": 8080, "grpc": 8081, "admin": 9090},
        metrics={"port": "admin"},
        routing={"port": "grpc", "protocol": protocol},
    )
    http, grpc = registry.one("Service")["spec"]["ports"]
    assert (http["name"], http["port"], http["targetPort"]) == ("http", 8080, "http")
    assert (grpc["name"], grpc["port"], grpc.get("appProtocol")) == ("grpc", 8081, app_protocol)
    assert [backend.port for backend in release.backends("grpc")] == [8081]


STABLE = {
    "config": {"message": "old"},
    "env": {"MODE": "old"},
    "args": ["--old"],
    "ports": {"http": 8000},
    "workload": {"replicas": 2},
    "autoscaling": {"enabled": False},
}
NEW = {
    "config": {"message": "new"},
    "env": {"MODE": "new", "MORE": "new"},
    "ports": {"http": 9000},
    "workload": {"replicas": 5},
    "autoscaling": {"enabled": False},
}


def objects_of(registry: Registry, track: str) -> dict[str, Any]:
    """Specs and data of a track's objects, by kind."""
    return {
        one.inputs["kind"]: one.inputs.get("spec") or one.inputs.get("data")
        for one in registry.resources.values()
        if one.inputs.get("metadata", {}).get("name") == f"beacon-{track}"
    }


def test_stable_keeps_the_objects_of_its_release_while_a_canary_has_new_settings() -> None:
    rolling = {key: value for key, value in CANARY.items() if key != "canary"}
    _, before = released(release=rolling, **STABLE)
    release, registry = released(release=changed(CANARY, {"stable": {"settings": STABLE}}), **NEW)
    assert objects_of(registry, "stable") == objects_of(before, "stable")
    pod = objects_of(registry, "canary")["Deployment"]["template"]["spec"]["containers"][0]
    assert {"name": "MORE", "value": "new"} in pod["env"]
    assert "args" not in pod
    assert {backend.track: backend.port for backend in release.backends("http")} == {
        "stable": 8000,
        "canary": 9000,
    }


def test_pods_of_an_edge_node_reach_those_on_it_with_the_name_of_the_service() -> None:
    edge: dict[str, Any] = {"architectures": ["arm64"]}
    registry = released(workload={"edge": edge})[1]
    assert registry.one("Service")["spec"]["internalTrafficPolicy"] == "Local"
    everywhere = {**edge, "internalTrafficPolicy": "Cluster"}
    registry = released(workload={"edge": everywhere})[1]
    assert registry.one("Service")["spec"]["internalTrafficPolicy"] == "Cluster"
    assert "internalTrafficPolicy" not in released()[1].one("Service")["spec"]
