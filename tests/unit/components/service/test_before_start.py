"""Job with a version's image that must succeed before the version's pods start."""

from typing import Any

import pytest

from tests.unit.components.service.test_release import (
    IDLE_IS_NEXT,
    IMAGES,
    NEW_SETTINGS,
    PROMOTED,
    released,
)
from tests.unit.harness import Registry
from tests.unit.stacks import CANARY, DIGEST, changed

JOB = {"command": ["/beacon"], "args": ["migrate"], "timeoutSeconds": 120, "backoffLimit": 1}


SWAPPED = {"stable": IMAGES["canary"], "canary": IMAGES["stable"]}


def jobs(
    release: dict[str, Any] | None = None,
    images: dict[str, str] | None = None,
    **changes: Any,
) -> Registry:
    of_job = changed(release or CANARY, {"beforeStart": JOB})
    return released(images, release=of_job, **changes)[1]


def test_each_version_has_a_job_with_its_image() -> None:
    registry = jobs()
    assert registry.named("Job") == {"beacon-before-start-1-0-0", "beacon-before-start-1-1-0"}
    spec = registry.one("Job", "beacon-before-start-1-1-0")["spec"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (120, 1)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == IMAGES["canary"]
    assert (container["command"], container["args"]) == (["/beacon"], ["migrate"])
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_pods_of_a_version_start_after_its_job_only() -> None:
    registry = jobs()
    for track, version, other in (("stable", "1-0-0", "1-1-0"), ("canary", "1-1-0", "1-0-0")):
        dependencies = registry.dependencies_of(registry.urn_of("Deployment", f"beacon-{track}"))
        assert registry.urn_of("Job", f"beacon-before-start-{version}") in dependencies
        assert registry.urn_of("Job", f"beacon-before-start-{other}") not in dependencies


def test_the_job_of_a_version_is_the_same_after_its_promotion() -> None:
    before = jobs()
    promoted = {"strategy": "canary", "stable": {"version": "1.1.0", "digest": DIGEST}}
    after = released({"stable": IMAGES["canary"]}, release={**promoted, "beforeStart": JOB})[1]
    urn = before.urn_of("Job", "beacon-before-start-1-1-0")
    assert after.resources[urn].inputs == before.resources[urn].inputs


def test_a_command_for_the_canary_does_not_run_for_the_version_that_is_stable() -> None:
    registry = jobs()
    for version, ignored in (("1-0-0", ("spec",)), ("1-1-0", ())):
        urn = registry.urn_of("Job", f"beacon-before-start-{version}")
        assert registry.resources[urn].ignore_changes == ignored
    alone = jobs({"stable": {"version": "1.0.0", "digest": DIGEST}})
    (job,) = alone.of_kind("Job")
    assert job.ignore_changes == ()


def test_a_switch_of_the_color_runs_no_job_again() -> None:
    before = jobs(IDLE_IS_NEXT, **NEW_SETTINGS)
    after = jobs(PROMOTED, images=SWAPPED, **NEW_SETTINGS)
    for version in ("1-0-0", "1-1-0"):
        urn = before.urn_of("Job", f"beacon-before-start-{version}")
        job = after.resources[urn]
        assert job.inputs == before.resources[urn].inputs or job.ignore_changes == ("spec",)


def test_a_version_of_a_rollback_has_no_job() -> None:
    stable = {"version": "1.0.0", "digest": DIGEST, "beforeStart": False}
    assert jobs({"stable": stable}).of_kind("Job") == []
    assert released()[1].of_kind("Job") == []


def test_a_failed_job_shows_its_log_and_runs_again_with_the_next_update() -> None:
    job = jobs().one("Job", "beacon-before-start-1-1-0")
    assert job["metadata"]["annotations"] == {"pulumi.com/replaceUnready": "true"}
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_an_update_waits_for_the_whole_timeout_of_the_job() -> None:
    registry = jobs()
    job = registry.resources[registry.urn_of("Job", "beacon-before-start-1-1-0")]
    assert job.custom_timeouts == ("180s", "180s")


def test_the_job_has_the_files_secrets_and_sidecars_of_the_service() -> None:
    image = f"registry.example.com/tools/wait@sha256:{'e' * 64}"
    registry = jobs(
        config={"debug": True},
        secrets={"token": {"generate": {}}},
        initContainers=[{"name": "wait", "image": image}],
        sidecars=[{"name": "proxy", "image": image}],
    )
    spec = registry.one("Job", "beacon-before-start-1-1-0")["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["proxy"]
    assert [one["name"] for one in spec["volumes"]] == ["config", "secrets", "tmp"]
    assert spec["volumes"][0]["configMap"]["name"] == "beacon-before-start"
    assert "debug: true" in registry.one("ConfigMap", "beacon-before-start")["data"]["config.yaml"]


def test_no_service_and_no_other_policy_selects_the_pods_of_a_job() -> None:
    registry = jobs()
    labels = registry.one("Job", "beacon-before-start-1-1-0")["spec"]["template"]["metadata"][
        "labels"
    ]
    for service in registry.of_kind("Service"):
        assert not service.inputs["spec"]["selector"].items() <= labels.items()
    for budget in registry.of_kind("PodDisruptionBudget"):
        assert not budget.inputs["spec"]["selector"]["matchLabels"].items() <= labels.items()
    selected = [
        one.inputs["metadata"]["name"]
        for one in registry.of_kind("NetworkPolicy")
        if one.inputs["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    assert selected == ["beacon-before-start"]


def test_a_job_may_connect_to_the_peers_of_the_service_and_accepts_nothing() -> None:
    peers = {"to": [{"cidr": "10.0.0.0/8", "ports": [5432]}]}
    spec = jobs(peers=peers).one("NetworkPolicy", "beacon-before-start")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    _, rule = spec["egress"]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]


@pytest.mark.parametrize(("version", "name"), [("1.2.0-RC.1", "1-2-0-rc-1"), ("10.0.0", "10-0-0")])
def test_the_name_of_a_job_is_that_of_an_object(version: str, name: str) -> None:
    registry = jobs({"stable": {"version": version, "digest": DIGEST}})
    assert registry.named("Job") == {f"beacon-before-start-{name}"}
