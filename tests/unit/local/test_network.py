"""Bridge of the node and its iptables rules."""

import subprocess
from pathlib import Path

import pytest

from local import network
from local.errors import LocalError

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-NWPLCY-TAIL - [0:0]
:SLIPWAY-PREROUTING - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A PREROUTING -j DOCKER
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SVC
COMMIT
"""


def test_only_chains_of_the_node_are_removed(monkeypatch):
    restored = []

    def run(command, **options):
        if command[0] == "iptables-restore":
            restored.append(options["input"])
        return subprocess.CompletedProcess(command, 0, SAVED, "")

    monkeypatch.setattr(network.subprocess, "run", run)
    network._remove_chains("nat")
    (script,) = restored
    assert "-X KUBE-SERVICES" in script
    assert "-X CNI-HOSTPORT-DNAT" in script
    assert "-X KUBE-ROUTER-FORWARD" in script
    assert "-X KUBE-NWPLCY-TAIL" in script
    assert "-X SLIPWAY-PREROUTING" in script
    assert "-D PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT" in script
    assert "DOCKER" not in script


def test_a_table_without_chains_of_the_node_is_not_written(monkeypatch):
    def run(command, **_):
        assert command[0] == "iptables-save"
        return subprocess.CompletedProcess(command, 0, "*nat\n:PREROUTING ACCEPT [0:0]\n", "")

    monkeypatch.setattr(network.subprocess, "run", run)
    network._remove_chains("nat")


def test_only_ip_sets_of_the_node_are_removed(monkeypatch):
    destroyed = []

    def run(command, **_):
        if command[1] == "destroy":
            destroyed.append(command[2])
        listed = "KUBE-SRC-ABC\nKUBE-DST-ABC\nkube-router-local-pods\nfail2ban\n"
        return subprocess.CompletedProcess(command, 0, listed, "")

    monkeypatch.setattr(network.shutil, "which", lambda _: "/usr/sbin/ipset")
    monkeypatch.setattr(network.subprocess, "run", run)
    network._remove_ip_sets()
    assert destroyed == ["KUBE-SRC-ABC", "KUBE-DST-ABC", "kube-router-local-pods"]


@pytest.mark.parametrize("taken", ["10.244.0.0/16", "10.96.0.0/12", "10.244.0.128/25"])
def test_a_route_that_overlaps_the_networks_of_the_node_is_refused(taken, monkeypatch):
    routes = [{"dst": "default", "dev": "eth0"}, {"dst": taken, "dev": "cni0"}]
    monkeypatch.setattr(network, "_ip_json", lambda *_: routes)
    with pytest.raises(LocalError, match=f"already routes {taken} through cni0"):
        network._refuse_foreign_routes()


def test_other_routes_are_accepted(monkeypatch):
    routes = [
        {"dst": "default", "dev": "eth0"},
        {"dst": "192.0.2.0/24", "dev": "eth0"},
        {"dst": "10.244.0.0/24", "dev": network.layout.BRIDGE},
    ]
    monkeypatch.setattr(network, "_ip_json", lambda *_: routes)
    network._refuse_foreign_routes()


@pytest.fixture
def bridge_of_another(monkeypatch):
    monkeypatch.setattr(network, "owner", lambda: Path("/home/other"))
    monkeypatch.setattr(network, "_has_bridge", lambda: True)

    def refuse(*arguments, **_):
        raise AssertionError(f"{arguments} was run")

    monkeypatch.setattr(network, "_ip", refuse)
    monkeypatch.setattr(network.subprocess, "run", refuse)


@pytest.mark.usefixtures("bridge_of_another")
def test_a_second_node_is_refused_with_the_command_that_stops_the_first(tmp_path):
    with pytest.raises(LocalError, match="SLIPWAY_HOME=/home/other python -m local down"):
        network.create(tmp_path)


@pytest.mark.usefixtures("bridge_of_another")
def test_the_bridge_of_another_node_is_not_removed(tmp_path):
    network.remove(tmp_path)
