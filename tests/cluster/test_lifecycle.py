"""One stack from nothing to nothing, with a change of every kind between."""

import json
from pathlib import Path

import pytest

from tests.cluster.project import Project, changes, wait_until

pytestmark = pytest.mark.timeout(900)


def plan(project: Project) -> dict[str, set[str]]:
    """What a preview would do, by Pulumi's operation: the names of the resources."""
    result = project.run("pulumi", "preview", "--json", "--stack", project.stack)
    assert result.returncode == 0, result.stdout + result.stderr
    steps: dict[str, set[str]] = {}
    for step in json.loads(result.stdout)["steps"]:
        steps.setdefault(step["op"], set()).add(step["urn"].rpartition("::")[2])
    return steps


def pods(project: Project) -> set[str]:
    return set(project.kubectl("get", "pods", "--output", "name").split())


def test_the_first_up_ends_with_a_table_and_serves_the_version(project: Project) -> None:
    output = project.make("up").stdout
    version = (project.folder / "app" / "VERSION").read_text().strip()
    assert set(changes(output)) == {"created"}
    assert f"http://{project.host}" in output
    assert version in output
    assert project.get().headers["X-Version"] == version


def test_a_second_up_changes_nothing(project: Project) -> None:
    assert set(changes(project.make("up").stdout)) == {"unchanged"}


def test_a_refresh_finds_no_drift(project: Project) -> None:
    result = project.run(
        *("pulumi", "refresh", "--yes", "--skip-preview", "--stack", project.stack),
        "--expect-no-changes",
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_config_value_reaches_the_service_without_a_restart(project: Project) -> None:
    wait_until("the pods that the autoscaler wants", lambda: len(pods(project)) > 1, seconds=60)
    before = pods(project)
    with project.config() as config:
        config["slipway:config"]["message"] = "changed while running"
    assert "updated" in changes(project.make("up").stdout)
    wait_until(
        "the service to answer with its new message",
        lambda: "changed while running" in project.get("/").text,
        # The kubelet refreshes a mounted ConfigMap within its sync period of a minute, and a cache.
        seconds=150,
    )
    assert pods(project) == before


def test_a_replica_bound_changes_only_the_autoscaler(project: Project) -> None:
    with project.config() as config:
        config["slipway:autoscaling"]["maxReplicas"] = 7
    steps = plan(project)
    assert {name for op in ("create", "update", "replace", "delete") for name in steps.get(op, ())}
    output = project.make("up").stdout
    assert changes(output)["updated"] == 1
    autoscaler = project.kubectl("get", "hpa", "-o", "jsonpath={.items[*].spec.maxReplicas}")
    assert "7" in autoscaler.split()


def test_an_edit_of_the_source_rolls_out_a_new_image(project: Project) -> None:
    before = project.kubectl("get", "pods", "-o", "jsonpath={.items[0].spec.containers[0].image}")
    main = project.folder / "app" / "main.go"
    main.write_text(main.read_text() + "\n// An edit.\n")
    project.make("up")
    after = project.kubectl("get", "deployment", "-o", "jsonpath={..image}")
    assert before not in after.split()
    assert project.get().status_code == 200


def test_a_renamed_object_is_made_before_the_old_one_goes(project: Project) -> None:
    with project.config() as config:
        config["slipway:service"]["name"] = "harbour"
    project.make("up")
    names = project.kubectl("get", "deployments", "--output", "name").split()
    assert names == ["deployment.apps/harbour-stable"]
    wait_until("the renamed service to answer", lambda: project.get().status_code == 200, 15)


def test_a_component_that_config_removes_is_deleted(project: Project) -> None:
    with project.config() as config:
        config["slipway:release"]["strategy"] = "rolling"
    project.make("up")
    ingresses = project.kubectl("get", "ingresses", "--output", "name").split()
    assert len(ingresses) == 1
    assert project.get().status_code == 200


def test_what_a_cluster_has_forgotten_is_made_again(project: Project) -> None:
    project.run("kubectl", "delete", "namespace", project.stack, "--wait")
    output = project.make("up").stdout
    assert f"the state is refreshed: namespace {project.stack}" in output
    assert "created" in changes(output)
    wait_until("the service to answer again", lambda: project.get().status_code == 200, 15)
    assert set(changes(project.make("up").stdout)) == {"unchanged"}


def test_an_update_leaves_no_kubeconfig_in_the_temporary_folder(
    project: Project, tmp_path: Path
) -> None:
    up = ("make", "--silent", "up", f"STACK={project.stack}")
    assert project.run("env", f"TMPDIR={tmp_path}", *up).returncode == 0
    assert not list(tmp_path.glob("*kubeconfig*"))


def test_down_leaves_nothing_behind(project: Project) -> None:
    project.make("down")
    state = json.loads(project.run("pulumi", "stack", "export", "--stack", project.stack).stdout)
    assert not state["deployment"].get("resources")
    result = project.run("kubectl", "get", "namespace", project.stack)
    assert "NotFound" in result.stderr
