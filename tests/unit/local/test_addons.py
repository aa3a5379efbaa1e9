"""The manifests of what runs in the cluster from the start."""

import subprocess

import pytest
import yaml

from local import addons, layout
from local.addons import ADDONS, DNS, INGRESS, METRICS, VOLUMES
from local.images import Image


@pytest.fixture
def at(tmp_path):
    found = layout.Layout(tmp_path)
    found.pki.mkdir(parents=True)
    found.authority.write_text("certificate")
    return found


def objects(addon, at):
    image = Image(f"slipway/{addon.name}", "key", {})
    return list(yaml.safe_load_all(addons._rendered(addon, image, at)))


def deployment(addon, at):
    (found,) = [each for each in objects(addon, at) if each["kind"] == "Deployment"]
    return found


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_a_manifest_has_the_addons_one_deployment_with_its_image(addon, at):
    found = deployment(addon, at)
    assert found["metadata"]["name"] == addon.name
    assert found["metadata"]["namespace"] == addon.namespace
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{layout.REGISTRY}/slipway/{addon.name}:")


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_pods_are_replaced_when_the_clusters_authority_is(addon, at):
    before = deployment(addon, at)["spec"]["template"]
    at.authority.write_text("another certificate")
    assert deployment(addon, at)["spec"]["template"] != before


@pytest.mark.parametrize("addon", [DNS, METRICS, INGRESS], ids=lambda addon: addon.name)
def test_containers_may_do_nothing_they_need_not(addon, at):
    pod = deployment(addon, at)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_provisioner_may_write_where_others_have_written_and_nothing_more(at):
    (container,) = deployment(VOLUMES, at)["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_OVERRIDE"],
    }
    assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_volumes_are_below_the_nodes_folder_and_the_same_for_pod_and_node(at):
    pod = deployment(VOLUMES, at)["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == volume["hostPath"]["path"] == str(at.node / "volumes")


def test_claims_that_name_no_storage_class_get_the_nodes_own(at):
    (found,) = [each for each in objects(VOLUMES, at) if each["kind"] == "StorageClass"]
    (container,) = deployment(VOLUMES, at)["spec"]["template"]["spec"]["containers"]
    assert found["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert f"--name={found['provisioner']}" in container["args"]


@pytest.mark.parametrize(("addon", "port"), [(DNS, "9153"), (INGRESS, "9100")])
def test_pods_tell_where_their_metrics_are(addon, port, at):
    annotations = deployment(addon, at)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == port


def test_the_way_in_is_open_on_loopback_only(at):
    (container,) = deployment(INGRESS, at)["spec"]["template"]["spec"]["containers"]
    published = [port for port in container["ports"] if "hostPort" in port]
    assert [(port["hostIP"], port["hostPort"]) for port in published] == [("127.0.0.1", 8080)]


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("nameserver 192.0.2.53\nnameserver 192.0.2.54\n", "forward . 192.0.2.53 192.0.2.54"),
        ("search x\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n", "forward . 192.0.2.1"),
        ("nameserver ::1\n", "template ANY ANY"),
        ("", "template ANY ANY"),
    ],
)
def test_names_outside_the_cluster_are_asked_of_servers_that_pods_can_reach(
    servers, expected, tmp_path, monkeypatch
):
    file = tmp_path / "resolv.conf"
    file.write_text(servers)
    monkeypatch.setattr(addons, "_RESOLVERS", (tmp_path / "none", file))
    assert addons._upstream().startswith(expected)


def test_the_name_servers_address_is_the_one_that_pods_are_told(at):
    (service,) = [each for each in objects(DNS, at) if each["kind"] == "Service"]
    assert service["spec"]["clusterIP"] == layout.DNS_SERVICE_IP


def test_a_deployment_is_not_ready_by_what_an_older_revision_said():
    item = {
        "kind": "Deployment",
        "metadata": {"name": "traefik", "namespace": "ingress", "generation": 2},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1},
    }
    assert not addons._is_ready(item)
    item["status"]["observedGeneration"] = 2
    assert addons._is_ready(item)


def test_what_kubectl_says_is_part_of_the_error(tmp_path, monkeypatch):
    at = layout.Layout(tmp_path)

    def refuse(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "the server refused")

    monkeypatch.setattr(addons.subprocess, "run", refuse)
    with pytest.raises(addons.LocalError, match="kubectl apply failed: the server refused"):
        addons.Cluster(at).apply("{}")
