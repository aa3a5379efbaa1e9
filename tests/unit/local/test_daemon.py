"""Daemons: their configuration and how supervisord runs them."""

import base64
import configparser
import json
import re
import shlex
import socket
import stat
import tomllib
from dataclasses import replace
from ipaddress import IPv4Address

import bcrypt
import pytest
import yaml

from local import buildkit, containerd, kubernetes, layout, registry
from local.daemon import Daemon, refuse_taken_port
from local.errors import LocalError
from local.layout import Layout
from local.supervisor import Supervisor


@pytest.fixture
def paths(tmp_path):
    return Layout(tmp_path)


@pytest.fixture
def daemons(paths):
    builder = [registry.daemon(paths), buildkit.daemon(paths)]
    node = [*kubernetes.daemons(paths), kubernetes.network_policy_controller(paths)]
    return [*builder, containerd.daemon(paths), *node]


def test_configuration_files_can_be_parsed(daemons):
    for daemon in daemons:
        for path, content in daemon.files.items():
            match path.suffix:
                case ".toml":
                    assert tomllib.loads(content)
                case ".yaml":
                    assert yaml.safe_load(content)
                case ".conflist":
                    assert json.loads(content)["plugins"]


def test_daemons_listen_only_on_loopback_and_the_bridge(daemons):
    texts = [text for daemon in daemons for text in (*daemon.command, *daemon.files.values())]
    addresses = set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b(?!/)", "\n".join(texts)))
    range_of_pods = {str(layout.POD_CIDR[0]), str(layout.POD_CIDR[-2])}
    assert addresses - range_of_pods == {"127.0.0.1", layout.NODE_IP, layout.DNS_SERVICE_IP}


def test_the_pod_cidr_is_a_part_of_the_pod_network_without_the_node_address():
    assert layout.POD_CIDR.subnet_of(layout.POD_NETWORK)
    assert IPv4Address(layout.NODE_IP) not in layout.POD_CIDR


def test_a_new_pod_has_no_connections_before_its_network_policies_apply(paths):
    controller = kubernetes.network_policy_controller(paths)
    assert "--netpol-default-deny=true" in controller.command
    options = set(kubernetes.controller_manager(paths).command)
    # Without the node's pod CIDR, kube-router does not start.
    assert {"--allocate-node-cidrs=true", f"--cluster-cidr={layout.POD_CIDR}"} <= options


def test_configuration_files_are_below_the_home_folder(daemons, paths):
    for daemon in daemons:
        for path in daemon.files:
            assert path.is_relative_to(paths.root)


def program(paths, daemon):
    Supervisor(paths)._write_program(daemon)
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(paths.config / "programs" / f"{daemon.name}.conf")
    return parser[f"program:{daemon.name}"]


def test_a_program_ends_with_its_supervisor_and_is_restarted(paths):
    written = program(paths, registry.daemon(paths))
    assert written["command"].startswith("setpriv --pdeathsig KILL -- docker-registry")
    assert written["autorestart"] == "true"


def test_a_percent_sign_in_a_command_is_escaped(paths):
    written = program(paths, Daemon("odd", ["echo", "100%", "a b"], health=""))
    expanded = written["command"] % {}
    assert shlex.split(expanded)[-3:] == ["echo", "100%", "a b"]


def test_the_registry_requires_the_password_that_its_clients_send(paths):
    config, htpasswd = registry.daemon(paths).files.values()
    assert yaml.safe_load(config)["auth"]["htpasswd"]
    user, _, digest = htpasswd.strip().partition(":")
    credentials = base64.b64decode(registry.authorization(paths).removeprefix("Basic "))
    given, _, password = credentials.partition(b":")
    assert given.decode() == user
    assert bcrypt.checkpw(password, digest.encode())
    assert stat.S_IMODE(paths.registry_password.stat().st_mode) == 0o600
    buildkit._add_credentials(paths)
    docker = json.loads((paths.docker / "config.json").read_text())
    assert base64.b64decode(docker["auths"][layout.REGISTRY]["auth"]) == credentials
    *_, hosts = containerd.daemon(paths).files.values()
    (host,) = tomllib.loads(hosts)["host"].values()
    assert host["header"]["authorization"] == registry.authorization(paths)


def test_credentials_for_other_registries_are_kept(paths):
    config = paths.docker / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"auths": {"ghcr.io": {"auth": "eA=="}}, "currentContext": "x"}')
    buildkit._add_credentials(paths)
    docker = json.loads(config.read_text())
    assert set(docker["auths"]) == {"ghcr.io", layout.REGISTRY}
    assert docker["currentContext"] == "x"


def test_with_a_docker_engine_the_registry_requires_no_password(paths):
    (config,) = registry.daemon(paths, authenticates=False).files.values()
    assert "auth" not in yaml.safe_load(config)


def test_a_program_is_restarted_when_a_file_that_it_reads_has_changed(paths):
    file, _ = (daemon := registry.daemon(paths)).files
    before = program(paths, daemon)["environment"]
    assert program(paths, daemon)["environment"] == before
    assert program(paths, replace(daemon, files={file: "version: 0.2"}))["environment"] != before


def test_a_program_is_restarted_when_its_certificate_has_changed(paths, tmp_path):
    certificate = tmp_path / "server.crt"
    daemon = Daemon("server", ["sleep"], health="", certificates=[certificate])
    certificate.write_text("old")
    before = program(paths, daemon)["environment"]
    certificate.write_text("new")
    assert program(paths, daemon)["environment"] != before


def test_a_port_that_another_program_uses_is_named():

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=f"registry needs port {port} on 127.0.0.1"):
            refuse_taken_port("127.0.0.1", port, "registry")
