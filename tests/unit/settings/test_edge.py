"""``workload.edge`` of a service: defaults that it changes, and keys that contradict it."""

from typing import Any

import pytest

from settings import SettingsError
from tests.unit.stacks import CANARY, DIGEST, service

ARM = {"architectures": ["arm64"]}
PUBLISHED = {"version": "1.0.0", "digest": DIGEST}


def edge(**changes: Any) -> dict[str, Any]:
    return {"workload": {"edge": ARM}, **changes}


def test_a_service_on_edge_nodes_is_small_not_autoscaled_and_built_for_them() -> None:
    beacon = service(**edge())
    assert beacon.autoscaling.enabled is False
    assert beacon.image.platforms == ("linux/arm64",)
    assert beacon.workload.resources.limits.memory == "128Mi"


def test_values_of_the_stack_file_are_kept() -> None:
    resources = {"requests": {"memory": "32Mi"}}
    platforms = ["linux/amd64", "linux/arm64"]
    beacon = service(
        workload={"edge": ARM, "resources": resources},
        image={"platforms": platforms},
        autoscaling={"maxReplicas": 4},
    )
    assert beacon.image.platforms == tuple(platforms)
    assert beacon.workload.resources.requests.memory == "32Mi"
    assert beacon.workload.resources.limits.memory == "128Mi"
    assert beacon.autoscaling.enabled is False


def test_other_services_keep_their_defaults() -> None:
    beacon = service()
    assert beacon.autoscaling.enabled is True
    assert beacon.image.platforms == ()
    assert beacon.workload.resources.limits.memory == "512Mi"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workload": {"edge": {}}}, "workload.edge.architectures is missing: use a list; each"),
        (
            {"workload": {"edge": {"architectures": ["arm"]}}},
            'workload.edge.architectures[0] is "arm": use "amd64" or "arm64"',
        ),
        (
            {"workload": {"edge": {**ARM, "offlineSeconds": 0}}},
            "workload.edge.offlineSeconds is 0: use an integer from 1 to 2592000",
        ),
        (
            edge(autoscaling={"enabled": True}),
            "autoscaling.enabled is true: use false: an edge node that is offline has no metrics",
        ),
        (
            edge(release={"strategy": "progressive", "stable": PUBLISHED}, slo={}),
            'release.strategy is "progressive": use "rolling", "canary" or "blueGreen": Flagger',
        ),
        (
            edge(release=CANARY),
            "release.canary.weight is 10: use 0: requests inside an edge node do not pass the",
        ),
        (
            edge(image={"platforms": ["linux/amd64"]}),
            'image.platforms is ["linux/amd64"]: use also linux/arm64, of workload.edge.arch',
        ),
        (
            {
                "workload": {
                    "edge": ARM,
                    "scheduling": {
                        "nodeAffinity": {"required": {"kubernetes.io/arch": "amd64"}},
                    },
                }
            },
            'workload.scheduling.nodeAffinity.required.kubernetes.io/arch is "amd64": use workl',
        ),
        (
            {
                "workload": {
                    "edge": ARM,
                    "scheduling": {"tolerations": [{"key": "node.kubernetes.io/unreachable"}]},
                }
            },
            'workload.scheduling.tolerations[0].key is "node.kubernetes.io/unreachable": use wo',
        ),
    ],
)
def test_a_key_that_contradicts_it_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        service(**changes)
    first = error.value.errors[0].removeprefix("slipway:services.beacon.")
    assert first.startswith(message), error.value.errors
