"""The kubernetes plugin between the real CLI and a real API server."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.project import wait_until
from tests.cluster.small_stack import SmallStack

IMAGE = "localhost:5000/slipway/pause:1"
"""The node's own image of a container that does nothing."""


@pytest.fixture(scope="module")
def namespace(ground: Mapping[str, str]) -> Iterator[str]:
    name = f"plugin-{secrets.token_hex(3)}"
    subprocess.run(["kubectl", "create", "namespace", name], env=dict(ground), check=True)
    yield name
    delete = ["kubectl", "delete", "namespace", name, "--wait=false"]
    subprocess.run(delete, env=dict(ground), check=True)


@pytest.fixture
def stack(ground: Mapping[str, str], tmp_path: Path) -> Iterator[SmallStack]:
    stack = SmallStack(tmp_path, ground)
    yield stack
    if stack.resources:
        _ = stack.destroy().ok


def config_map(namespace: str, name: str, **data: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(namespace: str, name: str, image: str = IMAGE, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {
        "name": "main",
        "image": image,
        # The same as 1, which is how the API server says it.
        "resources": {"limits": {"cpu": "1000m"}, "requests": {"cpu": "1m"}},
    }
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
            **spec,
        },
    }


def container_of(declared: dict[str, Any]) -> dict[str, Any]:
    return declared["object"]["spec"]["template"]["spec"]["containers"][0]


def test_what_is_made_is_found_unchanged_and_destroyed_without_a_trace(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("app", "apps/v1/Deployment", deployment(namespace, "app"))
    ports = [{"port": 80, "targetPort": 8080}]
    stack.declare(
        "web",
        "v1/Service",
        {
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": {"app": "app"}, "ports": ports},
        },
    )
    assert "3 to create" in stack.preview().ok.text  # the stack is the third
    _ = stack.up().ok
    live = stack.get("deployment", "app", namespace)
    assert live
    assert live["status"]["availableReplicas"] == 1
    assert stack.up().ok.unchanged()
    assert stack.refresh().ok.unchanged()
    assert stack.up().ok.unchanged()
    _ = stack.destroy().ok
    assert not stack.get("deployment", "app", namespace)
    assert not stack.get("service", "web", namespace)
    assert stack.kubectl("get", "pods", "--namespace", namespace, "--output", "name") == ""
    stack.resources.clear()


def test_the_state_has_the_shape_of_pulumis_own_plugin(stack: SmallStack, namespace: str) -> None:
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "settings", key="1"))
    _ = stack.up().ok
    kept = stack.state("settings")
    assert kept["id"] == f"{namespace}/settings"
    assert kept["type"] == "kubernetes:core/v1:ConfigMap"
    outputs = kept["outputs"]
    assert outputs["__inputs"] == kept["inputs"]
    assert outputs["__initialApiVersion"] == "v1"
    assert outputs["__fieldManager"].startswith("pulumi-kubernetes-")
    assert outputs["metadata"]["uid"]
    assert outputs["data"] == {"key": "1"}


def test_an_update_in_place_removes_what_the_program_no_longer_sets(
    stack: SmallStack, namespace: str
) -> None:
    stack.provider = {"enableConfigMapMutable": "true"}
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "settings", a="1", b="2"))
    _ = stack.up().ok
    made = stack.get("configmap", "settings", namespace)
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "settings", a="3"))
    shown = stack.preview().ok.text
    assert "~ a: " in shown.replace("  ", " ")
    assert "- b: " in shown.replace("  ", " ")
    assert "replace" not in shown
    _ = stack.up().ok
    live = stack.get("configmap", "settings", namespace)
    assert made
    assert live
    assert live["data"] == {"a": "3"}
    assert live["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_config_map_is_replaced_unless_the_provider_says_that_it_is_mutable(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("settings", "v1/ConfigMap", {"metadata": {"namespace": namespace}, "data": {}})
    stack.resources["settings"]["object"]["data"] = {"a": "1"}
    _ = stack.up().ok
    first = stack.state("settings")["id"]
    stack.resources["settings"]["object"]["data"] = {"a": "2"}
    _ = stack.up().ok
    second = stack.state("settings")["id"]
    assert first.startswith(f"{namespace}/settings-")
    assert second != first
    assert not stack.get("configmap", first.rpartition("/")[2], namespace)


def test_a_field_that_the_api_server_calls_immutable_replaces_the_object(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("app", "apps/v1/Deployment", deployment(namespace, "fixed", replicas=0))
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "fixed"}}}
    # Only the API server knows that its value is immutable.
    priority = {"metadata": {"name": namespace}, "value": 1}
    stack.declare("priority", "scheduling.k8s.io/v1/PriorityClass", priority)
    stack.declare(
        "budget",
        "policy/v1/PodDisruptionBudget",
        {"metadata": {"name": "fixed", "namespace": namespace}, "spec": spec},
    )
    _ = stack.up().ok
    labels = {"app": "fixed", "track": "stable"}
    changed = stack.resources["app"]["object"]["spec"]
    changed["selector"] = {"matchLabels": labels}
    changed["template"]["metadata"] = {"labels": labels}
    stack.resources["priority"]["object"]["value"] = 2
    stack.resources["budget"]["object"]["spec"]["minAvailable"] = 2
    shown = stack.preview().ok.text
    assert "2 to replace" in shown
    assert "1 to update" in shown
    assert "selector" in shown
    before = stack.get("deployment", "fixed", namespace)
    _ = stack.up().ok
    after = stack.get("deployment", "fixed", namespace)
    assert before
    assert after
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert stack.up().ok.unchanged()


def test_a_new_name_makes_a_new_object_and_deletes_the_old_one(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "old-name", a="1"))
    _ = stack.up().ok
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "new-name", a="1"))
    _ = stack.up().ok
    assert stack.get("configmap", "new-name", namespace)
    assert not stack.get("configmap", "old-name", namespace)


def test_a_refresh_finds_drift_and_the_next_up_corrects_it(
    stack: SmallStack, namespace: str
) -> None:
    stack.provider = {"enableConfigMapMutable": "true"}
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "drift", a="1"))
    stack.declare("gone", "v1/ConfigMap", config_map(namespace, "gone", a="1"))
    _ = stack.up().ok
    patch = json.dumps({"data": {"a": "2"}})
    stack.kubectl("patch", "configmap", "drift", "--namespace", namespace, "--patch", patch)
    stack.kubectl("delete", "configmap", "gone", "--namespace", namespace)
    shown = stack.refresh().ok.text
    assert "1 updated" in shown
    assert "1 deleted" in shown
    _ = stack.up().ok
    live = stack.get("configmap", "drift", namespace)
    assert live
    assert live["data"] == {"a": "1"}
    assert stack.get("configmap", "gone", namespace)


def test_a_field_of_another_manager_is_left_alone_until_the_program_insists(
    stack: SmallStack, namespace: str
) -> None:
    stack.provider = {"enableConfigMapMutable": "true"}
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "shared", a="1"))
    _ = stack.up().ok
    theirs = stack.folder / "theirs.json"
    theirs.write_text(
        json.dumps({"apiVersion": "v1", "kind": "ConfigMap", **config_map("", "shared", a="2")})
    )
    stack.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--field-manager", "them"),
        *("--namespace", namespace, "--filename", str(theirs)),
    )
    stack.resources["settings"]["object"]["data"] = {"a": "3"}
    for told in (stack.preview().failed.text, stack.up().failed.text):
        assert 'conflict with "them": .data.a' in told
        assert "pulumi.com/patchForce" in told
    metadata = stack.resources["settings"]["object"]["metadata"]
    metadata["annotations"] = {"pulumi.com/patchForce": "true"}
    _ = stack.up().ok
    live = stack.get("configmap", "shared", namespace)
    assert live
    assert live["data"] == {"a": "3"}


def test_replicas_that_an_autoscaler_owns_are_no_change(stack: SmallStack, namespace: str) -> None:
    stack.declare("app", "apps/v1/Deployment", deployment(namespace, "scaled"))
    _ = stack.up().ok
    stack.kubectl("scale", "deployment", "scaled", "--namespace", namespace, "--replicas", "2")
    wait_until(
        "2 pods",
        lambda: (
            (stack.get("deployment", "scaled", namespace) or {})["status"].get("readyReplicas") == 2
        ),
        60,
    )
    assert stack.up().ok.unchanged()
    assert stack.refresh().ok.unchanged()
    container_of(stack.resources["app"])["env"] = [{"name": "A", "value": "1"}]
    _ = stack.up().ok
    live = stack.get("deployment", "scaled", namespace)
    assert live
    assert live["spec"]["replicas"] == 2


def test_replicas_that_the_program_ignores_stay_as_they_are(
    stack: SmallStack, namespace: str
) -> None:
    fields = deployment(namespace, "ignored", replicas=0)
    stack.declare("app", "apps/v1/Deployment", fields, ignore_changes=["spec.replicas"])
    _ = stack.up().ok
    stack.kubectl("scale", "deployment", "ignored", "--namespace", namespace, "--replicas", "1")
    assert stack.up().ok.unchanged()
    container_of(stack.resources["app"])["env"] = [{"name": "A", "value": "1"}]
    _ = stack.preview().ok
    _ = stack.up().ok
    live = stack.get("deployment", "ignored", namespace)
    assert live
    assert live["spec"]["replicas"] == 1
    owners = [
        entry["manager"]
        for entry in live["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    ]
    assert owners == ["kubectl"]
    _ = stack.refresh().ok
    assert stack.up().ok.unchanged()


def test_stateful_and_daemon_sets_are_waited_for(stack: SmallStack, namespace: str) -> None:
    for kind in ("StatefulSet", "DaemonSet"):
        name = kind.lower()
        more = {"serviceName": name} if kind == "StatefulSet" else {}
        stack.declare(name, f"apps/v1/{kind}", deployment(namespace, name, **more))
    _ = stack.up().ok
    for change in ("1", "2"):
        for name in ("statefulset", "daemonset"):
            container_of(stack.resources[name])["env"] = [{"name": "A", "value": change}]
        _ = stack.up().ok
        for kind, ready in (("statefulset", "readyReplicas"), ("daemonset", "numberReady")):
            live = stack.get(kind, kind, namespace)
            assert live
            assert live["status"][ready] == 1
            assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    assert stack.refresh().ok.unchanged()


def test_an_existing_object_is_refused_until_it_is_imported(
    stack: SmallStack, namespace: str
) -> None:
    stack.kubectl(
        "create", "configmap", "theirs", "--namespace", namespace, "--from-literal", "a=1"
    )
    stack.declare("theirs", "v1/ConfigMap", config_map(namespace, "theirs", a="1"))
    assert "exists already" in stack.up().failed.text
    stack.resources["theirs"]["options"] = {"import_": f"{namespace}/theirs"}
    _ = stack.up().ok
    assert stack.up().ok.unchanged()
    assert stack.state("theirs")["id"] == f"{namespace}/theirs"


def test_an_object_made_by_kubectl_and_imported_follows_the_program(
    stack: SmallStack, namespace: str
) -> None:
    stack.provider = {"enableConfigMapMutable": "true"}
    stack.kubectl(
        *("create", "configmap", "taken", "--namespace", namespace),
        *("--from-literal", "a=1", "--from-literal", "b=2"),
    )
    imported = config_map(namespace, "taken", a="1", b="2")
    stack.declare("taken", "v1/ConfigMap", imported, import_=f"{namespace}/taken")
    _ = stack.up().ok
    stack.declare("taken", "v1/ConfigMap", config_map(namespace, "taken", a="3"))
    _ = stack.up().ok
    live = stack.get("configmap", "taken", namespace)
    assert live
    assert live["data"] == {"a": "3"}
    assert [entry["operation"] for entry in live["metadata"]["managedFields"]] == ["Apply"]


def test_a_crashing_rollout_is_an_error_with_its_reason_and_the_next_up_converges(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare(
        "app",
        "apps/v1/Deployment",
        deployment(namespace, "crash"),
        custom_timeouts={"create": "20s", "update": "60s"},
    )
    container_of(stack.resources["app"])["command"] = ["/does-not-exist"]
    told = stack.up().failed.text
    assert "Deployment" in told
    assert "is not ready" in told
    assert "/does-not-exist" in told
    assert "after 20 s" in told
    assert stack.state("app")["initErrors"]
    del container_of(stack.resources["app"])["command"]
    _ = stack.up().ok
    assert "initErrors" not in stack.state("app")
    assert stack.up().ok.unchanged()


def test_an_interrupted_up_keeps_what_it_made_and_the_next_up_converges(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("app", "apps/v1/Deployment", deployment(namespace, "slow", "localhost:5000/no:1"))
    running = stack.start("up", "--yes", "--skip-preview")
    wait_until("the Deployment", lambda: bool(stack.get("deployment", "slow", namespace)), 90)
    running.send_signal(signal.SIGINT)
    assert "interrupted" in stack.finish(running).failed.text
    assert stack.state("app")["id"] == f"{namespace}/slow"
    container_of(stack.resources["app"])["image"] = IMAGE
    _ = stack.up().ok


def test_a_killed_up_leaves_an_object_that_the_next_up_adopts(
    stack: SmallStack, namespace: str
) -> None:
    stack.provider = {"upsertExistingObjects": "true"}
    stack.declare(
        "app", "apps/v1/Deployment", deployment(namespace, "killed", "localhost:5000/no:1")
    )
    running = stack.start("up", "--yes", "--skip-preview")
    wait_until("the Deployment", lambda: bool(stack.get("deployment", "killed", namespace)), 90)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    _ = stack.run("cancel", "--yes").ok
    container_of(stack.resources["app"])["image"] = IMAGE
    _ = stack.up().ok
    live = stack.get("deployment", "killed", namespace)
    assert live
    assert live["status"]["availableReplicas"] == 1


def test_an_unknown_field_is_an_error_at_preview_even_in_a_namespace_still_to_be_made(
    stack: SmallStack, namespace: str
) -> None:
    new = f"{namespace}-new"
    stack.declare("space", "v1/Namespace", {"metadata": {"name": new}})
    wrong = deployment(new, "wrong", replica=3)
    stack.declare("app", "apps/v1/Deployment", wrong, depends_on=["space"])
    told = stack.preview().failed.text
    assert f"Deployment {new}/wrong cannot be created" in told
    assert ".spec.replica: field not declared in schema" in told
    stack.resources.clear()


def test_a_custom_resource_is_made_in_the_same_run_as_its_kind(
    stack: SmallStack, namespace: str
) -> None:
    group = f"{namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    for kind, scope in (("Here", "Namespaced"), ("Anywhere", "Cluster")):
        plural = f"{kind.lower()}s"
        stack.declare(
            f"{kind}-definition",
            "apiextensions.k8s.io/v1/CustomResourceDefinition",
            {
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": scope,
                    "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                    "versions": [
                        {
                            "name": "v1",
                            "served": True,
                            "storage": True,
                            "schema": {"openAPIV3Schema": schema},
                        }
                    ],
                },
            },
        )
        stack.declare(kind, f"{group}/v1/{kind}", {"metadata": {"name": "one"}, "spec": {"a": 1}})
    stack.provider = {"namespace": namespace}
    _ = stack.preview().ok
    _ = stack.up().ok
    assert stack.state("Here")["id"] == f"{namespace}/one"
    assert stack.state("Anywhere")["id"] == "one"
    assert stack.up().ok.unchanged()
    assert stack.refresh().ok.unchanged()
    _ = stack.destroy().ok
    stack.resources.clear()


def test_secret_values_are_not_readable_in_the_state_nor_in_an_error(
    stack: SmallStack, namespace: str
) -> None:
    metadata = {"name": "secret", "namespace": namespace}
    stack.declare("secret", "v1/Secret", {"metadata": metadata, "stringData": {"key": "hush-1"}})
    stack.declare(
        "settings", "v1/ConfigMap", config_map(namespace, "secret", key={"secret": "hush-2"})
    )
    _ = stack.up().ok
    live = stack.get("secret", "secret", namespace)
    assert live
    assert live["data"] == {"key": "aHVzaC0x"}
    exported = stack.run("stack", "export").ok.text
    assert "hush" not in exported
    assert "aHVzaC0" not in exported
    assert stack.up().ok.unchanged()
    assert stack.refresh().ok.unchanged()
    stack.resources["settings"]["object"]["metadata"]["labels"] = {"a": {"secret": "hush 3"}}
    told = stack.up().failed.text
    assert "[secret]" in told
    assert "hush" not in told
    del stack.resources["settings"]["object"]["metadata"]["labels"]


def test_a_provider_resource_chooses_the_cluster_by_its_content_and_the_namespace(
    stack: SmallStack, namespace: str, ground: Mapping[str, str]
) -> None:
    config = yaml.safe_load(Path(ground["KUBECONFIG"]).read_text())
    wrong = {"name": "wrong", "context": {"cluster": "nowhere", "user": "nobody"}}
    right = {**config["contexts"][0], "name": "right"}
    config |= {"contexts": [wrong, right], "current-context": "wrong"}
    stack.provider = {"kubeconfig": yaml.safe_dump(config), "context": "right"}
    stack.provider["namespace"] = namespace
    stack.declare("settings", "v1/ConfigMap", {"metadata": {"name": "placed"}, "data": {}})
    _ = stack.up().ok
    assert stack.state("settings")["id"] == f"{namespace}/placed"
    stack.provider["context"] = "missing"
    told = stack.up().failed.text
    assert "the kubeconfig has no context 'missing'; it has right, wrong" in told
    stack.provider["context"] = "right"
    _ = stack.up().ok


def test_without_a_cluster_a_preview_warns_and_an_up_fails_with_one_reason(
    stack: SmallStack, namespace: str
) -> None:
    config = {
        "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:9"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none"}}],
        "current-context": "none",
    }
    stack.provider = {"kubeconfig": json.dumps(config)}
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "nowhere", a="1"))
    assert "no answer from https://127.0.0.1:9" in stack.preview().ok.text
    told = stack.up().failed.text
    assert "ConfigMap" in told
    assert "configured Kubernetes cluster is unreachable" in told
    stack.resources.clear()


def test_a_waiting_namespace_and_its_content_may_be_declared_in_any_order(
    stack: SmallStack, namespace: str
) -> None:
    new = f"{namespace}-later"
    # Neither depends on the other.
    stack.declare("settings", "v1/ConfigMap", config_map(new, "early", a="1"))
    stack.declare("space", "v1/Namespace", {"metadata": {"name": new}})
    _ = stack.up().ok
    assert stack.get("configmap", "early", new)


def test_a_failed_job_is_an_error_at_once(stack: SmallStack, namespace: str) -> None:
    container = {"name": "main", "image": IMAGE, "command": ["/does-not-exist"]}
    pod = {"containers": [container], "restartPolicy": "Never"}
    stack.declare(
        "job",
        "batch/v1/Job",
        {
            "metadata": {"name": "fails", "namespace": namespace},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        },
    )
    assert "BackoffLimitExceeded" in stack.up().failed.text


def test_a_job_and_a_stateful_set_written_another_way_than_the_cluster_does_are_unchanged(
    stack: SmallStack, namespace: str
) -> None:
    fields = deployment(namespace, "same", replicas=0, serviceName="same")
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1024Mi"}},
        },
    }
    fields["spec"]["volumeClaimTemplates"] = [claim]
    stack.declare("set", "apps/v1/StatefulSet", fields)
    template = deployment(namespace, "same")["spec"]["template"]
    template["spec"] |= {"restartPolicy": "Never", "volumes": []}
    spec = {"suspend": True, "template": template}
    metadata = {"name": "same", "namespace": namespace}
    stack.declare("job", "batch/v1/Job", {"metadata": metadata, "spec": spec})
    _ = stack.up().ok
    made = stack.get("job", "same", namespace)
    assert stack.up().ok.unchanged()
    template["metadata"]["labels"] = {"app": "other"}
    assert "1 to replace" in stack.preview().ok.text
    _ = stack.up().ok
    after = stack.get("job", "same", namespace)
    assert made
    assert after
    assert made["metadata"]["uid"] != after["metadata"]["uid"]


def test_a_replacement_that_the_user_asks_for_never_loses_the_object(
    stack: SmallStack, namespace: str
) -> None:
    stack.declare("settings", "v1/ConfigMap", config_map(namespace, "asked", a="1"))
    _ = stack.up().ok
    made = stack.get("configmap", "asked", namespace)
    urn = stack.state("settings")["urn"]
    assert "exists already" in stack.run("up", "--yes", "--replace", urn).failed.text
    assert stack.get("configmap", "asked", namespace) == made
    stack.resources["settings"]["options"] = {"delete_before_replace": True}
    _ = stack.run("up", "--yes", "--replace", urn).ok
    after = stack.get("configmap", "asked", namespace)
    assert made
    assert after
    assert made["metadata"]["uid"] != after["metadata"]["uid"]
