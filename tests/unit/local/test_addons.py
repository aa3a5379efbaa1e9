"""Manifests of the addons."""

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
    found.ca_certificate.write_text("certificate")
    return found


def objects(addon, at):
    image = Image(f"slipway/{addon.name}", "key", {})
    return list(yaml.safe_load_all(addons._manifest(addon, image, at)))


def deployment(addon, at):
    (found,) = [each for each in objects(addon, at) if each["kind"] == "Deployment"]
    return found


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_a_manifest_has_one_deployment_with_the_image_of_the_addon(addon, at):
    found = deployment(addon, at)
    assert found["metadata"]["name"] == addon.name
    assert found["metadata"]["namespace"] == addon.namespace
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{layout.REGISTRY}/slipway/{addon.name}:")


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_pods_are_replaced_when_the_ca_certificate_changes(addon, at):
    before = deployment(addon, at)["spec"]["template"]
    at.ca_certificate.write_text("another certificate")
    assert deployment(addon, at)["spec"]["template"] != before


@pytest.mark.parametrize("addon", [DNS, METRICS, INGRESS], ids=lambda addon: addon.name)
def test_containers_have_no_privileges(addon, at):
    pod = deployment(addon, at)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_provisioner_has_only_the_capability_to_delete_files_of_others(at):
    (container,) = deployment(VOLUMES, at)["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["DAC_OVERRIDE"],
    }
    assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_volumes_have_the_same_path_in_the_provisioner_and_on_the_node(at):
    pod = deployment(VOLUMES, at)["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == volume["hostPath"]["path"] == str(at.node / "volumes")


def test_the_storage_class_of_the_provisioner_is_the_default(at):
    (found,) = [each for each in objects(VOLUMES, at) if each["kind"] == "StorageClass"]
    (container,) = deployment(VOLUMES, at)["spec"]["template"]["spec"]["containers"]
    assert found["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert f"--name={found['provisioner']}" in container["args"]


@pytest.mark.parametrize(("addon", "port"), [(DNS, "9153"), (INGRESS, "9100")])
def test_pods_are_annotated_with_their_metrics_port(addon, port, at):
    annotations = deployment(addon, at)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == port


def test_traefik_listens_only_on_loopback(at):
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
def test_names_outside_the_cluster_are_forwarded_to_servers_that_pods_can_reach(
    servers, expected, tmp_path, monkeypatch
):
    file = tmp_path / "resolv.conf"
    file.write_text(servers)
    monkeypatch.setattr(addons, "_RESOLV_CONF", (tmp_path / "none", file))
    assert addons._dns_upstream().startswith(expected)


def test_the_dns_service_has_the_address_that_the_kubelet_configures(at):
    (service,) = [each for each in objects(DNS, at) if each["kind"] == "Service"]
    assert service["spec"]["clusterIP"] == layout.DNS_SERVICE_IP


def test_the_status_of_a_former_generation_does_not_count_as_ready():
    item = {
        "kind": "Deployment",
        "metadata": {"name": "traefik", "namespace": "ingress", "generation": 2},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "updatedReplicas": 1, "readyReplicas": 1},
    }
    assert not addons._is_ready(item)
    item["status"]["observedGeneration"] = 2
    assert addons._is_ready(item)


def test_an_error_of_kubectl_is_quoted(tmp_path, monkeypatch):
    at = layout.Layout(tmp_path)

    def refuse(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "the server refused")

    monkeypatch.setattr(addons.subprocess, "run", refuse)
    with pytest.raises(addons.LocalError, match="kubectl get failed: the server refused"):
        addons.Cluster(at).unready()


def test_a_manifest_is_applied_only_if_it_has_changed(at, monkeypatch):
    applied = []

    def kubectl(_, *arguments, stdin=None):
        if arguments[0] == "apply":
            applied.append(stdin)
        return "certificate"

    monkeypatch.setattr(addons.Cluster, "kubectl", kubectl)
    cluster = addons.Cluster(at)
    for manifest in ("one", "one", "two"):
        cluster.apply("addon", manifest)
    assert applied == ["one", "two"]
