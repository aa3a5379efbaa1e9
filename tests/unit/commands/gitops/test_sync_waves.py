"""Sync waves: an object is applied when its dependencies are healthy."""

import pytest

from commands.gitops.sync_waves import behind_routes, sync_waves
from render import RenderedObject


def made(file: str, *dependencies: str) -> RenderedObject:
    """Return the object of a file such as ``Deployment-shop``."""
    kind = file.partition("-")[0]
    api = "serving.knative.dev/v1" if "knative" in file else "v1"
    manifest = {"apiVersion": api, "kind": kind, "metadata": {"name": file}}
    return RenderedObject(file, manifest, frozenset(dependencies), (), False)


def test_an_object_is_in_a_later_wave_than_its_dependencies() -> None:
    objects = [
        made("Deployment-shop", "Job-migrate", "Namespace-shop"),
        made("Job-migrate", "Namespace-shop"),
        made("NetworkPolicy-shop", "Namespace-shop"),
        made("Namespace-shop"),
    ]
    assert sync_waves(objects) == {
        "Namespace-shop": 0,
        "NetworkPolicy-shop": 1,
        "Job-migrate": 1,
        "Deployment-shop": 2,
    }


@pytest.mark.parametrize(
    "kind", ["Canary", "DomainMapping", "HTTPRoute", "HorizontalPodAutoscaler", "Ingress"]
)
def test_no_wave_waits_for_what_only_becomes_healthy_later(kind: str) -> None:
    waves = sync_waves(
        [
            made(f"{kind}-shop", "Deployment-shop"),
            made("Service-shop", f"{kind}-shop"),
            made("Ingress-shop", "Service-shop"),
            made("Deployment-shop"),
            made("StatefulSet-store", "Deployment-shop"),
        ]
    )
    last = max(waves.values())
    assert waves["StatefulSet-store"] < last
    assert {waves[f"{kind}-shop"], waves["Service-shop"], waves["Ingress-shop"]} == {last}


def test_a_volume_that_a_pod_binds_is_in_the_wave_of_its_workload() -> None:
    waves = sync_waves(
        [
            made("PersistentVolumeClaim-data"),
            made("ConfigMap-config", "PersistentVolumeClaim-data"),
            made("StatefulSet-store", "PersistentVolumeClaim-data", "ConfigMap-config"),
        ]
    )
    assert waves["PersistentVolumeClaim-data"] == waves["StatefulSet-store"] == 2


def test_what_a_route_depends_on_is_found_through_other_objects() -> None:
    objects = [
        made("Ingress-shop", "Service-shop"),
        made("Service-shop", "Deployment-shop"),
        made("Deployment-shop"),
        made("Deployment-worker"),
    ]
    assert behind_routes(objects) == {"Service-shop", "Deployment-shop"}


@pytest.mark.parametrize(
    ("routes", "behind"),
    [
        ([], set[str]()),
        ([made("DomainMapping-host", "Service-knative")], {"Service-knative"}),
    ],
    ids=["without routing", "with a host"],
)
def test_a_canary_of_knative_is_behind_the_service_that_routes_to_it(
    routes: list[RenderedObject], behind: set[str]
) -> None:
    objects = [
        *routes,
        made("Service-knative", "Configuration-knative"),
        made("Configuration-knative", "ConfigMap-canary"),
        made("ConfigMap-canary"),
        made("Service-other", "Deployment-other"),
        made("Deployment-other"),
    ]
    assert behind_routes(objects) == {"Configuration-knative", "ConfigMap-canary", *behind}
