"""The processes of the node and what they are told."""

import configparser
import json
import re
import shlex
import socket
import tomllib
from dataclasses import replace

import pytest
import yaml

from local import layout, services
from local.daemon import Service, refuse_taken_port
from local.errors import LocalError
from local.layout import Layout
from local.supervisor import Supervisor


@pytest.fixture
def at(tmp_path):
    return Layout(tmp_path)


@pytest.fixture
def every(at):
    return [services.registry(at), services.buildkitd(at), *services.node(at)]


def test_their_configuration_files_can_be_read(every):
    for service in every:
        for path, content in service.files.items():
            match path.suffix:
                case ".toml":
                    assert tomllib.loads(content)
                case ".yaml":
                    assert yaml.safe_load(content)
                case ".conflist":
                    assert json.loads(content)["plugins"]


def test_they_listen_on_loopback_and_the_bridge_only(every):
    told = [text for service in every for text in (*service.command, *service.files.values())]
    addresses = set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b(?!/)", "\n".join(told)))
    assert addresses == {"127.0.0.1", layout.NODE_IP, layout.DNS_SERVICE_IP}


def test_everything_they_write_is_below_the_home_folder(every, at):
    for service in every:
        for path in service.files:
            assert path.is_relative_to(at.root)


def test_the_node_is_known_by_one_address(at):
    assert f"--advertise-address={layout.NODE_IP}" in services.api_server(at).command
    assert f"--node-ip={layout.NODE_IP}" in services.kubelet(at).command
    assert layout.API_SERVER in services.api_server(at).health


def program(at, service):
    Supervisor(at)._write_program(service)
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(at.config / "programs" / f"{service.name}.conf")
    return parser[f"program:{service.name}"]


def test_every_program_dies_with_its_supervisor_and_is_started_again(at):
    written = program(at, services.registry(at))
    assert written["command"].startswith("setpriv --pdeathsig KILL -- docker-registry")
    assert written["autorestart"] == "true"


def test_a_percent_sign_in_a_command_reaches_the_program(at):

    written = program(at, Service("odd", ["echo", "100%", "a b"], health=""))
    expanded = written["command"] % {}
    assert shlex.split(expanded)[-3:] == ["echo", "100%", "a b"]


def test_a_program_is_restarted_when_what_it_reads_has_changed(at):

    registry = services.registry(at)
    before = program(at, registry)["environment"]
    assert program(at, registry)["environment"] == before
    (path,) = registry.files
    assert program(at, replace(registry, files={path: "version: 0.2"}))["environment"] != before


def test_a_port_of_another_program_is_named():

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=f"registry needs port {port} on 127.0.0.1"):
            refuse_taken_port("127.0.0.1", port, "registry")
