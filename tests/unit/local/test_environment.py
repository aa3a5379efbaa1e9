"""Environment variables for pulumi, kubectl and buildx."""

import stat

import pytest

from local.detection import Machine
from local.environment import environment
from local.errors import LocalError
from local.layout import Layout, home

BARE = Machine(cluster=False, docker=False, pulumi=False, plugins=False)
COMPLETE = Machine(cluster=True, docker=True, pulumi=True, plugins=True)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "slipway"))
    return str(tmp_path / "slipway")


def variables(machine=BARE, **existing):
    return environment({"PATH": "/usr/bin", **existing}, machine)


def test_on_a_bare_machine_everything_is_below_the_home_folder(root):
    given = variables()
    for name in ("KUBECONFIG", "DOCKER_CONFIG", "BUILDX_CONFIG", "PULUMI_HOME"):
        assert given[name].startswith(root)
    assert given["PULUMI_BACKEND_URL"] == f"file://{root}/state?metadata=skip"
    assert f"{root}/bin" in given["PATH"].split(":")
    assert given["PATH"].endswith("/usr/bin")


def test_what_the_machine_provides_is_not_configured():
    own = set(variables()) - set(variables(COMPLETE))
    assert own == {
        *("KUBECONFIG", "DOCKER_CONFIG", "BUILDX_CONFIG", "BUILDX_BUILDER", "PULUMI_HOME"),
        *("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "SLIPWAY_IMAGES_BY_TAG"),
    }


def test_the_passphrase_is_random_private_and_kept(tmp_path, monkeypatch):
    file = Layout().passphrase
    variables()
    first = file.read_text()
    assert variables()["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(file)
    assert file.read_text() == first
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "other"))
    variables()
    assert Layout().passphrase.read_text() != first


def test_a_missing_passphrase_of_existing_stacks_is_refused():
    variables()
    stack = Layout().state / ".pulumi" / "stacks" / "slipway" / "dev.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    Layout().passphrase.unlink()
    with pytest.raises(LocalError, match="restore"):
        variables()
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in variables(PULUMI_CONFIG_PASSPHRASE="given")


def test_the_variables_are_idempotent():
    once = {"PATH": "/usr/bin", **variables()}
    assert {**once, **environment(once, BARE)} == once


def test_the_users_backend_and_passphrase_are_kept():
    given = variables(PULUMI_BACKEND_URL="s3://states", PULUMI_CONFIG_PASSPHRASE="given")
    assert not {name for name in given if name.startswith(("PULUMI_BACKEND", "PULUMI_CONFIG"))}
    assert not Layout().passphrase.exists()


@pytest.mark.parametrize("value", ["relative/path", "/" + "x" * 120])
def test_a_relative_or_too_long_home_is_refused(value, monkeypatch):
    monkeypatch.setenv("SLIPWAY_HOME", value)
    with pytest.raises(LocalError, match=r"SLIPWAY_HOME is '/?[rx]"):
        home()
