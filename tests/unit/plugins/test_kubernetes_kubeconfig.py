"""A kubeconfig leads to a cluster, or to an error that says what it lacks."""

import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.kubernetes import kubeconfig
from plugins.kubernetes.settings import Settings, replacing, unsupported
from plugins.server import PluginError
from plugins.values import UNKNOWN


def config(**user: Any) -> dict[str, Any]:
    return {
        "clusters": [
            {"name": "one", "cluster": {"server": "http://one"}},
            {"name": "two", "cluster": {"server": "http://two"}},
        ],
        "contexts": [
            {"name": "a", "context": {"cluster": "one", "user": "me", "namespace": "mine"}},
            {"name": "b", "context": {"cluster": "two"}},
        ],
        "users": [{"name": "me", "user": user}],
        "current-context": "a",
    }


def test_the_context_gives_the_server_the_namespace_and_the_user():
    access = kubeconfig.access(config(token="t"))
    assert access.server == "http://one"
    assert access.namespace == "mine"
    assert access.headers == {"Authorization": "Bearer t"}
    assert "t'" not in repr(access)


def test_what_the_provider_sets_overrides_the_kubeconfig():
    access = kubeconfig.access(config(), context="b", cluster="one", namespace="n")
    assert (access.server, access.namespace) == ("http://one", "n")
    assert kubeconfig.access(config(), context="b").namespace == "default"


def test_an_unknown_context_is_an_error_that_names_those_there_are():
    with pytest.raises(PluginError, match=r"no context 'c'; it has a, b"):
        kubeconfig.access(config(), context="c")


def test_a_kubeconfig_is_given_as_path_or_as_content(tmp_path: Path):
    text = yaml.safe_dump(config())
    (tmp_path / "config").write_text(text)
    assert kubeconfig.load(text) == kubeconfig.load(str(tmp_path / "config")) == config()


@pytest.mark.parametrize(
    ("given", "said"),
    [("/does/not/exist", "/does/not/exist"), ("a: 1\n", "names no clusters"), ("{", "YAML")],
)
def test_what_is_no_kubeconfig_is_an_error(given: str, said: str):
    with pytest.raises(PluginError, match=said):
        kubeconfig.load(given)


def test_the_files_of_the_environment_are_merged_the_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(yaml.safe_dump({**config(), "current-context": "b"}))
    second.write_text(yaml.safe_dump(config()))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'missing'}:{second}")
    assert kubeconfig.load()["current-context"] == "b"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(PluginError, match="missing does not exist"):
        kubeconfig.load()


def test_of_several_files_the_first_to_define_a_name_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(yaml.safe_dump(config(token="first")))
    other = config(token="second")
    other["clusters"][0]["cluster"]["server"] = "http://other"
    other["contexts"][0]["context"]["namespace"] = "other"
    other["contexts"].append({"name": "c", "context": {"cluster": "two"}})
    second.write_text(yaml.safe_dump(other))
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    access = kubeconfig.access(kubeconfig.load())
    assert (access.server, access.namespace) == ("http://one", "mine")
    assert access.headers == {"Authorization": "Bearer first"}
    assert kubeconfig.access(kubeconfig.load(), context="c").server == "http://two"


def test_a_credential_plugin_gives_the_token_or_its_reason(tmp_path: Path):
    plugin = tmp_path / "plugin"
    plugin.write_text(f'#!{sys.executable}\nprint(\'{{"status": {{"token": "fresh"}}}}\')\n')
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    access = kubeconfig.access(config(exec=spec))
    assert access.headers == {"Authorization": "Bearer fresh"}
    with pytest.raises(PluginError, match=r"credential plugin .*missing failed"):
        kubeconfig.access(config(exec={**spec, "command": str(tmp_path / "missing")}))


def test_settings_come_from_the_provider_or_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PULUMI_K8S_ENABLE_SECRET_MUTABLE", "true")
    monkeypatch.setenv("PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", "true")
    settings = Settings.read({"kubernetes:config:enableConfigMapMutable": "false"})
    assert settings.data_is_mutable("Secret")
    assert not settings.data_is_mutable("ConfigMap")


def test_only_another_cluster_replaces_what_is_on_it():
    text = yaml.safe_dump(config())
    old = {"kubeconfig": text, "context": "a"}
    assert replacing(old, {"kubeconfig": text, "context": "b"}) == ["context"]
    renamed = {**config(), "current-context": "b"}
    assert replacing(old, {"kubeconfig": yaml.safe_dump(renamed), "context": "a"}) == []
    assert replacing({"kubeconfig": "/gone"}, {"kubeconfig": text}) == []
    assert replacing({}, {"context": "b"}) == []
    assert replacing(old, {"kubeconfig": UNKNOWN, "context": "a"}) == ["kubeconfig"]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("users", "as", "admin"),
        ("users", "as-groups", ["admins"]),
        ("users", "as-uid", "1"),
        ("users", "auth-provider", {"name": "oidc"}),
        ("clusters", "proxy-url", "http://proxy"),
    ],
)
def test_another_identity_or_way_that_a_kubeconfig_asks_for_is_refused_by_name(
    section: str, key: str, value: object
):
    wrong = config(token="t")
    wrong[section][0][section.removesuffix("s")][key] = value
    with pytest.raises(PluginError, match=f"the kubeconfig's {key} is not supported"):
        kubeconfig.access(wrong)
    given = {"kubeconfig": yaml.safe_dump(wrong)}
    assert f"has {key}," in unsupported(given)["kubeconfig"]
    assert unsupported({**given, "context": "b"}) == {}


def test_what_this_provider_does_not_do_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", "/does/not/exist")
    assert unsupported({"enableServerSideApply": "true", "namespace": "n"}) == {}
    assert unsupported({"strictMode": "false", "kubeClientSettings": UNKNOWN}).keys() == {
        "kubeClientSettings"
    }
    for key, value in {
        "enableServerSideApply": False,
        "clusterIdentifier": "one",
        "strictMode": "true",
        "skipUpdateUnreachable": True,
        "kubeClientSettings": '{"qps": 1}',
    }.items():
        assert unsupported({key: value}).keys() == {key}
