"""Manifests of the addons."""

import subprocess
from typing import Any

import pytest
import yaml

from components.network_peer import DNS_EGRESS
from local import addons, layout
from local.addons import ADDONS, DNS, INGRESS
from local.images import Image


@pytest.fixture
def paths(tmp_path):
    return layout.Layout(tmp_path)


def objects(addon, paths):
    image = Image(f"slipway/{addon.name}", "key", {})
    return list(yaml.safe_load_all(addons._manifest(addon, image, paths)))


def deployment(addon, paths):
    (found,) = [each for each in objects(addon, paths) if each["kind"] == "Deployment"]
    return found


@pytest.mark.parametrize("addon", ADDONS, ids=lambda addon: addon.name)
def test_a_manifest_has_one_deployment_with_the_image_of_the_addon(addon, paths):
    found = deployment(addon, paths)
    assert found["metadata"]["name"] == addon.name
    assert found["metadata"]["namespace"] == addon.namespace
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{layout.REGISTRY}/slipway/{addon.name}:")


def test_traefik_listens_only_on_loopback(paths):
    (container,) = deployment(INGRESS, paths)["spec"]["template"]["spec"]["containers"]
    published = [port for port in container["ports"] if "hostPort" in port]
    assert [(port["hostIP"], port["hostPort"]) for port in published] == [
        ("127.0.0.1", port) for port in (8080, 8443)
    ]


def test_traefik_may_read_secrets_and_not_change_them(paths):
    verbs = [
        rule["verbs"]
        for each in objects(INGRESS, paths)
        for rule in each.get("rules", ())
        if "secrets" in rule["resources"]
    ]
    assert verbs == [["list", "watch"]]


def test_dns_listens_on_the_port_that_network_policies_allow(paths):
    (container,) = deployment(DNS, paths)["spec"]["template"]["spec"]["containers"]
    ports = {(port["containerPort"], port["protocol"]) for port in container["ports"][:2]}
    egress: Any = DNS_EGRESS
    allowed = {(port["port"], port["protocol"]) for port in egress["ports"]}
    assert ports == allowed


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
    paths = layout.Layout(tmp_path)

    def refuse(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "the server refused")

    monkeypatch.setattr(addons.subprocess, "run", refuse)
    with pytest.raises(addons.LocalError, match="kubectl get failed: the server refused"):
        addons.Cluster(paths).unready()


def test_a_manifest_is_applied_only_if_it_has_changed(paths, monkeypatch):
    applied = []

    def kubectl(_, *arguments, stdin=None):
        if arguments[0] == "apply":
            applied.append(stdin)
        return ""

    monkeypatch.setattr(addons.Cluster, "kubectl", kubectl)
    cluster = addons.Cluster(paths)
    for manifest in ("one", "one", "two"):
        cluster.apply("addon", manifest)
    assert applied == ["one", "two"]
