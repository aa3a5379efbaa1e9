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
    """The variables of a machine that has nothing."""
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "slipway"))
    return {"PATH": str(tmp_path / "path"), "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"}


def program(tmp_path, name):
    file = tmp_path / "path" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)


def test_a_bare_machine_gets_everything_from_the_home_folder(bare, tmp_path):
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


def test_a_passphrase_that_is_lost_is_not_made_anew(bare, tmp_path):
    environment(bare)
    stack = tmp_path / "slipway" / "state" / ".pulumi" / "stacks" / "slipway" / "dev.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    (tmp_path / "slipway" / "passphrase").unlink()
    with pytest.raises(LocalError, match="put it back"):
        environment(bare)
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment(
        {**bare, "PULUMI_CONFIG_PASSPHRASE": "given"}
    )


def test_applying_it_twice_changes_nothing(bare):
    once = {**bare, **environment(bare)}
    assert {**once, **environment(once)} == once


def test_a_cluster_of_the_users_is_used(bare, tmp_path):
    kubeconfig = tmp_path / "theirs"
    kubeconfig.write_text("{}")
    theirs = {**bare, "KUBECONFIG": str(kubeconfig)}
    assert "KUBECONFIG" not in environment(theirs)
    assert not detect(Layout(), theirs).needs_node


def test_our_own_kubeconfig_is_no_cluster_of_the_users(bare):
    ours = Layout().kubeconfig
    ours.parent.mkdir()
    ours.write_text("{}")
    assert detect(Layout(), {**bare, "KUBECONFIG": str(ours)}).needs_node


def test_a_kubeconfig_that_is_not_there_is_no_cluster(bare, tmp_path):
    assert detect(Layout(), {**bare, "KUBECONFIG": str(tmp_path / "none")}).needs_node


def test_an_engine_that_answers_is_the_builder(bare, tmp_path):
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        with_docker = {**bare, "DOCKER_HOST": f"unix://{path}"}
        assert not detect(Layout(), with_docker).needs_builder
        given = environment(with_docker)
    assert not {"DOCKER_CONFIG", "BUILDX_CONFIG", "BUILDX_BUILDER"} & set(given)


def test_a_docker_client_without_an_engine_is_no_builder(bare, tmp_path):
    program(tmp_path, "docker")
    assert detect(Layout(), bare).needs_builder


def test_a_pulumi_with_its_language_host_brings_its_plugins(bare, tmp_path):
    program(tmp_path, "pulumi")
    program(tmp_path, "pulumi-language-python")
    has = detect(Layout(), bare)
    assert not has.needs_pulumi
    assert not has.needs_plugins
    assert "PULUMI_HOME" not in environment(bare)


def test_a_pulumi_alone_cannot_run_python(bare, tmp_path):
    program(tmp_path, "pulumi")
    has = detect(Layout(), bare)
    assert has.needs_pulumi
    assert has.needs_plugins


def test_plugins_can_be_left_to_pulumi(bare, tmp_path):
    program(tmp_path, "pulumi")
    off = {**bare, "SLIPWAY_PLUGINS": "off"}
    has = detect(Layout(), off)
    assert not has.needs_pulumi
    assert not has.needs_plugins
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in environment(off)


def test_what_was_built_here_is_not_taken_for_the_machines(bare):
    own = Layout().bin
    own.mkdir(parents=True)
    for name in ("pulumi", "pulumi-language-python"):
        (own / name).write_text("#!/bin/sh\n")
        (own / name).chmod(0o755)
    assert detect(Layout(), {**bare, "PATH": f"{own}:{bare['PATH']}"}).needs_pulumi


def test_a_backend_and_a_passphrase_of_the_users_stay(bare):
    given = environment(
        {**bare, "PULUMI_BACKEND_URL": "s3://states", "PULUMI_CONFIG_PASSPHRASE": "given"}
    )
    assert not {name for name in given if name.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG"))}
    assert not Layout().passphrase.exists()


@pytest.mark.parametrize("value", ["relative/path", "/" + "x" * 120])
def test_a_home_that_cannot_work_is_named(value, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", value)
    with pytest.raises(LocalError, match=r"SLIPWAY_HOME is '/?[rx]"):
        home()
