"""The manifests of what runs in the cluster from the start."""

import subprocess

import pytest
import yaml

from local import addons, layout
from local.addons import ADDONS, DNS, INGRESS
from local.images import Image


@pytest.fixture
def authority(tmp_path):
    file = tmp_path / "ca.crt"
    file.write_text("certificate")
    return file


def objects(addon, authority):
    image = Image(f"slipway/{addon.name}", "key", {})
    return list(yaml.safe_load_all(addons._rendered(addon, image, authority)))


def deployment(addon, authority):
    (found,) = [each for each in objects(addon, authority) if each["kind"] == "Deployment"]
    return found


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_a_manifest_has_the_addons_one_deployment_with_its_image(addon, authority):
    found = deployment(addon, authority)
    assert found["metadata"]["name"] == addon.name
    assert found["metadata"]["namespace"] == addon.namespace
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{layout.REGISTRY}/slipway/{addon.name}:")


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_pods_are_replaced_when_the_clusters_authority_is(addon, authority):
    before = deployment(addon, authority)["spec"]["template"]
    authority.write_text("another certificate")
    assert deployment(addon, authority)["spec"]["template"] != before


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_containers_may_do_nothing_they_need_not(addon, authority):
    pod = deployment(addon, authority)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_way_in_is_open_on_loopback_only(authority):
    (container,) = deployment(INGRESS, authority)["spec"]["template"]["spec"]["containers"]
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


def test_the_name_servers_address_is_the_one_that_pods_are_told(authority):
    (service,) = [each for each in objects(DNS, authority) if each["kind"] == "Service"]
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
