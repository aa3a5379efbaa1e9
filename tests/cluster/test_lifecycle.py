"""The lifecycle of a stack: deployment, each kind of change with and without a plan, deletion."""

import json
from pathlib import Path

import pytest

from tests.cluster.project import Project, changes, wait_until

pytestmark = pytest.mark.timeout(900)


def previewed(project: Project) -> dict[str, set[str]]:
    """Return the resource names of `pulumi preview` by operation."""
    result = project.run("pulumi", "preview", "--json", "--stack", project.stack)
    assert result.returncode == 0, result.stdout + result.stderr
    steps: dict[str, set[str]] = {}
    for step in json.loads(result.stdout)["steps"]:
        steps.setdefault(step["op"], set()).add(step["urn"].rpartition("::")[2])
    return steps


def saved_plan(project: Project) -> str:
    """Save a plan and return the variable of `make up` that applies it."""
    (project.folder / "out").mkdir(exist_ok=True)
    project.make("preview", "ARGS=--save-plan out/plan.json")
    return "PLAN=out/plan.json"


def pods(project: Project) -> set[str]:
    return set(project.kubectl("get", "pods", "--output", "name").split())


def test_the_first_up_prints_the_url_and_serves_the_version(project: Project) -> None:
    """It complies with its plan: at the preview, image and token are unknown."""
    output = project.make("up", saved_plan(project)).stdout
    version = (project.folder / "app" / "VERSION").read_text().strip()
    assert set(changes(output)) == {"created"}
    assert f"http://{project.host}" in output
    assert version in output
    assert project.get().headers["X-Version"] == version


def test_the_namespace_has_no_privileged_pod_and_rejects_one(project: Project) -> None:
    project.assert_pod_security(project.stack)
    overrides = (
        '{"spec":{"containers":[{"name":"x","image":"x","securityContext":{"privileged":true}}]}}'
    )
    result = project.run(
        *("kubectl", "--namespace", project.stack, "run", "x", "--image=x"),
        f"--overrides={overrides}",
    )
    assert result.returncode != 0
    assert 'violates PodSecurity "restricted' in result.stderr


def test_a_configuration_value_is_reloaded_without_a_restart(project: Project) -> None:
    wait_until("the replicas of the autoscaler", lambda: len(pods(project)) > 1, seconds=60)
    before = pods(project)
    with project.service() as service:
        service["config"]["message"] = "changed while running"
    assert "updated" in changes(project.make("up").stdout)
    wait_until(
        "the new message",
        lambda: "changed while running" in project.get("/").text,
        # Without a change of the pods, the kubelet needs up to 90 s.
        seconds=20,
    )
    assert pods(project) == before


def test_a_replica_limit_updates_only_the_autoscaler(project: Project) -> None:
    with project.service() as service:
        service.setdefault("autoscaling", {})["maxReplicas"] = 7
    steps = previewed(project)
    assert {name for op in ("create", "update", "replace", "delete") for name in steps.get(op, ())}
    output = project.make("up").stdout
    assert changes(output)["updated"] == 1
    autoscaler = project.kubectl("get", "hpa", "-o", "jsonpath={.items[*].spec.maxReplicas}")
    assert "7" in autoscaler.split()


def test_a_change_outside_the_plan_is_refused(project: Project) -> None:
    plan = saved_plan(project)
    with project.restored_config():
        with project.service() as service:
            service["autoscaling"]["maxReplicas"] = 9
        result = project.make_fails("up", plan)
    assert "violates plan" in result.stdout + result.stderr
    path = "--output=jsonpath={.spec.maxReplicas}"
    assert project.kubectl("get", "hpa", "beacon-stable", path) == "7"


def test_a_source_edit_rolls_out_a_new_image(project: Project) -> None:
    before = project.kubectl("get", "pods", "-o", "jsonpath={.items[0].spec.containers[0].image}")
    project.edit_source("// An edit.")
    # A plan allows the digest of the new image.
    project.make("up", saved_plan(project))
    after = project.kubectl("get", "deployment", "-o", "jsonpath={..image}")
    assert before not in after.split()
    assert project.get().status_code == 200


def test_a_renamed_object_replaces_the_old_one_and_a_removed_component_is_deleted(
    project: Project, tmp_path: Path
) -> None:
    with project.config() as config:
        service = config["slipway:services"].pop("beacon")
        service["release"]["strategy"] = "rolling"
        config["slipway:services"]["harbour"] = service
    up = ("make", "--silent", "up", f"STACK={project.stack}")
    result = project.run("env", f"TMPDIR={tmp_path}", *up)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list(tmp_path.glob("*kubeconfig*"))
    objects = project.kubectl("get", "deployments,ingresses", "--output", "name").split()
    assert objects == ["deployment.apps/harbour-stable", "ingress.networking.k8s.io/harbour"]
    wait_until("a response of the renamed service", lambda: project.get().status_code == 200, 15)


def test_deleted_objects_are_recreated(project: Project) -> None:
    project.run("kubectl", "delete", "namespace", project.stack, "--wait")
    output = project.make("up").stdout
    assert f"namespace {project.stack} was deleted or recreated" in output
    assert "created" in changes(output)
    wait_until("a response of the service", lambda: project.get().status_code == 200, 15)
    project.assert_unchanged()


def test_down_deletes_all_objects(project: Project) -> None:
    project.make("down")
    state = json.loads(project.run("pulumi", "stack", "export", "--stack", project.stack).stdout)
    assert not state["deployment"].get("resources")
    result = project.run("kubectl", "get", "namespace", project.stack)
    assert "NotFound" in result.stderr
