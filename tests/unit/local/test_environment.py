"""Detection of what the machine provides, and the environment variables."""

import socket
import stat

import pytest

from local.detection import detect
from local.environment import environment
from local.errors import LocalError
from local.layout import Layout, home


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Environment variables of a machine that provides nothing."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "slipway"))
    return {"PATH": str(tmp_path / "path"), "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}


def program(tmp_path, name):
    file = tmp_path / "path" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)


def test_on_a_bare_machine_everything_is_below_the_home_folder(bare, tmp_path):
    given = environment(bare)
    root = str(tmp_path / "slipway")
    for name in ("KUBECONFIG", "DOCKER_CONFIG", "BUILDX_CONFIG", "PULUMI_HOME"):
        assert given[name].startswith(root)
    assert given["PULUMI_BACKEND_URL"] == f"file://{root}/state"
    assert f"{root}/bin" in given["PATH"].split(":")
    assert given["PATH"].endswith(bare["PATH"])


def test_the_passphrase_is_random_private_and_kept(bare, tmp_path, monkeypatch):
    file = tmp_path / "slipway" / "passphrase"
    environment(bare)
    first = file.read_text()
    assert environment(bare)["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(file)
    assert file.read_text() == first
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "other"))
    environment(bare)
    assert (tmp_path / "other" / "passphrase").read_text() != first


def test_a_missing_passphrase_of_existing_stacks_is_refused(bare, tmp_path):
    environment(bare)
    stack = tmp_path / "slipway" / "state" / ".pulumi" / "stacks" / "slipway" / "dev.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    (tmp_path / "slipway" / "passphrase").unlink()
    with pytest.raises(LocalError, match="restore"):
        environment(bare)
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(
        {**bare, "PULUMI_CONFIG_PASSPHRASE": "given"}
    )


def test_the_variables_are_idempotent(bare):
    once = {**bare, **environment(bare)}
    assert {**once, **environment(once)} == once


def test_the_users_cluster_is_used(bare, tmp_path):
    kubeconfig = tmp_path / "theirs"
    kubeconfig.write_text("{}")
    with_cluster = {**bare, "KUBECONFIG": str(kubeconfig)}
    assert "KUBECONFIG" not in environment(with_cluster)
    assert not detect(Layout(), with_cluster).needs_node


def test_the_own_kubeconfig_does_not_count_as_a_cluster(bare):
    ours = Layout().kubeconfig
    ours.parent.mkdir()
    ours.write_text("{}")
    assert detect(Layout(), {**bare, "KUBECONFIG": str(ours)}).needs_node


def test_a_missing_kubeconfig_does_not_count_as_a_cluster(bare, tmp_path):
    assert detect(Layout(), {**bare, "KUBECONFIG": str(tmp_path / "none")}).needs_node


def test_a_running_docker_engine_is_the_builder(bare, tmp_path):
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        with_docker = {**bare, "DOCKER_HOST": f"unix://{path}"}
        assert not detect(Layout(), with_docker).needs_builder
        given = environment(with_docker)
    assert not {"DOCKER_CONFIG", "BUILDX_CONFIG", "BUILDX_BUILDER"} & set(given)


def test_a_docker_client_without_an_engine_does_not_count_as_a_builder(bare, tmp_path):
    program(tmp_path, "docker")
    assert detect(Layout(), bare).needs_builder


def test_an_installed_pulumi_with_its_language_host_is_used(bare, tmp_path):
    program(tmp_path, "pulumi")
    program(tmp_path, "pulumi-language-python")
    machine = detect(Layout(), bare)
    assert not machine.needs_pulumi
    assert not machine.needs_plugins
    assert "PULUMI_HOME" not in environment(bare)


def test_an_installed_pulumi_without_its_language_host_is_not_used(bare, tmp_path):
    program(tmp_path, "pulumi")
    machine = detect(Layout(), bare)
    assert machine.needs_pulumi
    assert machine.needs_plugins


def test_slipway_plugins_off_leaves_the_plugins_to_pulumi(bare, tmp_path):
    program(tmp_path, "pulumi")
    off = {**bare, "SLIPWAY_PLUGINS": "off"}
    machine = detect(Layout(), off)
    assert not machine.needs_pulumi
    assert not machine.needs_plugins
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in environment(off)


def test_programs_built_here_do_not_count_as_installed(bare):
    own = Layout().bin
    own.mkdir(parents=True)
    for name in ("pulumi", "pulumi-language-python"):
        (own / name).write_text("#!/bin/sh\n")
        (own / name).chmod(0o755)
    assert detect(Layout(), {**bare, "PATH": f"{own}:{bare['PATH']}"}).needs_pulumi


def test_the_users_backend_and_passphrase_are_kept(bare):
    given = environment(
        {**bare, "PULUMI_BACKEND_URL": "s3://states", "PULUMI_CONFIG_PASSPHRASE": "given"}
    )
    assert not {name for name in given if name.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG"))}
    assert not Layout().passphrase.exists()


@pytest.mark.parametrize("value", ["relative/path", "/" + "x" * 120])
def test_a_relative_or_too_long_home_is_refused(value, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", value)
    with pytest.raises(LocalError, match=r"SLIPWAY_HOME is '/?[rx]"):
        home()
