"""Detection of what the machine provides."""

import socket
from pathlib import Path

import pytest

from local.detection import Machine, detect, pulls_images
from local.errors import LocalError
from local.layout import Layout

BARE = Machine(cluster=False, docker=False, pulumi=False, plugins=False)


@pytest.fixture
def paths(tmp_path):
    return Layout(tmp_path / "home")


@pytest.fixture
def variables(tmp_path):
    """Environment variables of a machine that provides nothing."""
    return {"PATH": str(tmp_path / "bin"), "DOCKER_HOST": f"unix://{tmp_path}/engine.sock"}


def install(folder, *programs):
    folder.mkdir(parents=True)
    for name in programs:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("programs", "plugins_off", "provided"),
    [
        ([], False, (False, False)),
        (["pulumi"], False, (False, False)),
        (["pulumi", "pulumi-language-python"], False, (True, True)),
        (["pulumi"], True, (True, True)),
        ([], True, (False, True)),
    ],
)
def test_pulumi_is_used_if_it_has_or_can_download_its_plugins(
    programs, plugins_off, provided, paths, variables
):
    install(Path(variables["PATH"]), *programs)
    if plugins_off:
        variables["SLIPWAY_PLUGINS"] = "off"
    machine = detect(paths, variables)
    assert (machine.pulumi, machine.plugins) == provided


def test_programs_built_here_do_not_count_as_installed(paths, variables):
    install(paths.bin, "pulumi", "pulumi-language-python")
    variables["PATH"] += f":{paths.bin}"
    assert detect(paths, variables) == BARE


@pytest.mark.parametrize(
    ("kubeconfig", "is_cluster"), [("other", True), ("missing", False), ("own", False)]
)
def test_the_cluster_of_another_kubeconfig_is_used(
    kubeconfig, is_cluster, paths, variables, tmp_path
):
    paths.root.mkdir()
    for file in (paths.kubeconfig, tmp_path / "other"):
        file.write_text("{}")
    variables["KUBECONFIG"] = str({"own": paths.kubeconfig}.get(kubeconfig, tmp_path / kubeconfig))
    assert detect(paths, variables).cluster is is_cluster


def test_a_docker_engine_that_accepts_connections_is_used(paths, variables, tmp_path):
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine.sock"))
        engine.listen()
        assert detect(paths, variables).docker


def test_a_docker_client_without_an_engine_does_not_count(paths, variables, tmp_path):
    install(tmp_path / "bin", "docker")
    assert detect(paths, variables) == BARE


@pytest.mark.parametrize("value", ["OFF", "0", "false", "on"])
def test_another_value_than_off_is_refused_before_anything_is_built(value, paths, variables):
    variables["SLIPWAY_PULL"] = value
    with pytest.raises(LocalError, match=f"^SLIPWAY_PULL is {value}: use off, or unset it"):
        detect(paths, variables)


@pytest.mark.parametrize(
    ("given", "is_pulled"),
    [({}, True), ({"SLIPWAY_PULL": ""}, True), ({"SLIPWAY_PULL": "off"}, False)],
)
def test_images_are_pulled_by_default(given, is_pulled):
    assert pulls_images(given) is is_pulled
