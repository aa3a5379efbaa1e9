"""File of a new stack."""

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.errors import BAD_INPUT
from commands.new_env import main
from commands.stack_file import ReleaseFile
from render import manifests_of
from settings import load
from settings.stack_file import path_of, read_config
from tests.unit.stacks import CANARY, changed, needs_example, sections

LOGIN = {"username": "robot", "password": {"secure": "v1:abc:def"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a function that writes the stack file ``prod`` and creates another from it."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)

    def make(name: str = "staging", source: str = "prod", **changes: Any) -> int:
        prod = {
            "namespace": {"name": "beacon-prod"},
            "cluster": {"context": "prod"},
            "routing": {"hosts": ["beacon.example.com"]},
        }
        stack = sections(**changed(prod, changes))
        config = {key if ":" in key else f"slipway:{key}": val for key, val in stack.items()}
        (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
        return main(["--name", name, "--source", source])

    make.folder = tmp_path  # type: ignore[attr-defined]
    return make


def config_of(project: Any, name: str = "staging") -> dict[str, Any]:
    return yaml.safe_load((project.folder / f"Pulumi.{name}.yaml").read_text())["config"]


def beacon_of(project: Any) -> dict[str, Any]:
    return config_of(project)["slipway:services"]["beacon"]


def test_a_preview_host_is_changed(project: Any) -> None:
    blue_green = {"previewHost": "next.prod.example.com"}
    assert project(release={"strategy": "blueGreen", "blueGreen": blue_green}) == 0
    assert beacon_of(project)["release"]["blueGreen"] == {"previewHost": "next.staging.example.com"}


def test_values_are_copied_and_names_are_changed(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = {"context": "prod", "server": "https://prod.example.com"}
    assert project(autoscaling={"maxReplicas": 7}, cluster=cluster) == 0
    config = config_of(project)
    assert beacon_of(project)["autoscaling"] == {"maxReplicas": 7}
    assert config["slipway:namespace"] == {"name": "beacon-staging"}
    server = "https://staging.example.com"
    assert config["slipway:cluster"] == {"context": "staging", "server": server}
    assert beacon_of(project)["routing"] == {"hosts": ["beacon-staging.example.com"]}
    assert "slipway:namespace.name: beacon-prod -> beacon-staging" in capsys.readouterr().out


def test_the_hosts_of_additional_ports_are_changed(project: Any) -> None:
    grpc = {"hosts": ["grpc.example.com"]}
    assert project(ports={"http": 1, "grpc": 2}, routing={"additionalPorts": {"grpc": grpc}}) == 0
    ports = beacon_of(project)["routing"]["additionalPorts"]
    assert ports == {"grpc": {"hosts": ["grpc-staging.example.com"]}}


def test_a_cluster_and_hosts_without_the_name_of_the_stack_are_unchanged_and_reported(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = {"context": "eu-1", "server": "https://10.0.0.1:6443"}
    assert project(cluster=cluster, host={"hosts": {"web": "10.0.0.2"}}) == 0
    assert config_of(project)["slipway:cluster"] == cluster
    _, _, unchanged = capsys.readouterr().out.partition("check them\n")
    assert unchanged.splitlines()[:2] == [
        "    slipway:cluster.context: eu-1",
        "    slipway:cluster.server: https://10.0.0.1:6443",
    ]
    assert "    slipway:host.hosts: {web: 10.0.0.2}\n" in unchanged


def test_the_name_of_the_stack_is_replaced_only_as_a_whole_word(project: Any) -> None:
    assert project(namespace={"name": "products-prod"}) == 0
    assert config_of(project)["slipway:namespace"] == {"name": "products-staging"}


def test_monitoring_namespaces_on_the_same_cluster_are_renamed(project: Any) -> None:
    assert project(cluster={"context": "eu-1"}, observability={"mode": "bundled"}) == 0
    config = config_of(project)
    assert config["slipway:network"] == {"monitoringNamespace": "monitoring-staging"}
    assert config["slipway:observability"]["nodeNamespace"] == "monitoring-node-staging"


def test_monitoring_namespaces_on_another_cluster_are_unchanged(project: Any) -> None:
    assert project(observability={"mode": "bundled"}) == 0
    assert config_of(project)["slipway:observability"] == {"mode": "bundled"}


def test_secrets_and_sections_that_require_them_are_omitted(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = {
        "token": {"secure": "v1:ghi:jkl"},
        "licence": {"value": {"secure": "v1:mno:pqr"}, "onChange": "none"},
    }
    assert project(registry={"credentials": LOGIN}, secrets=secrets, pprofPort=6060) == 0
    text = (project.folder / "Pulumi.staging.yaml").read_text()
    assert "v1:" not in text
    assert config_of(project)["slipway:registry"] == {"host": "localhost:5000"}
    assert beacon_of(project)["pprofPort"] == 6060
    assert "secrets" not in beacon_of(project)
    out = capsys.readouterr().out
    assert "slipway:registry.credentials.password" in out
    assert "slipway:services.beacon.secrets.token" in out
    assert "slipway:services.beacon.secrets.licence" in out


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("secrets.prod.yaml", "secrets.staging.yaml"),
        ("prod/secrets.json", "staging/secrets.json"),
        ("secrets.yaml", "secrets-staging.yaml"),
    ],
)
def test_a_new_stack_has_files_of_sops_of_its_own(
    project: Any, capsys: pytest.CaptureFixture[str], file: str, own: str
) -> None:
    secrets = {"payment": {"sops": {"file": file, "key": "token"}, "onChange": "release"}}
    assert project(secrets=secrets, defaults={"secrets": copy.deepcopy(secrets)}) == 0
    renamed = {"payment": {"sops": {"file": own, "key": "token"}, "onChange": "release"}}
    assert beacon_of(project)["secrets"] == renamed
    assert config_of(project)["slipway:defaults"]["secrets"] == renamed
    out = capsys.readouterr().out
    assert f"slipway:services.beacon.secrets.payment.sops.file: {file} -> {own}" in out
    assert out.count(f"\n    {own}\n") == 1


def test_the_settings_of_a_version_have_files_of_sops_of_their_own_too(project: Any) -> None:
    secrets = {"payment": {"sops": {"file": "secrets.prod.yaml", "key": "token"}}}
    assert project(release=changed(CANARY, {"stable": {"settings": {"secrets": secrets}}})) == 0
    kept = beacon_of(project)["release"]["stable"]["settings"]["secrets"]["payment"]
    assert kept["sops"]["file"] == "secrets.staging.yaml"


def test_a_region_shares_hosts_and_has_records_and_a_cluster_of_its_own(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project() == 0
    records = {"setIdentifier": "east1", "failover": "primary"}
    routing = {
        "hosts": ["shop.example.com", "east1.shop.example.com"],
        "dns": {"route53": {**records}},
    }
    delivery = {"path": "environments/prod-east1", "argocd": {"cluster": "east1"}}
    own = {
        "slipway:extends": "prod",
        "slipway:cluster": {"context": "prod-east1"},
        "slipway:defaults": {"routing": {"dns": {"route53": {"setIdentifier": "first"}}}},
        "slipway:services": {"beacon": {"routing": routing}},
        "slipway:delivery": delivery,
    }
    (project.folder / "Pulumi.prod-east1.yaml").write_text(yaml.safe_dump({"config": own}))
    capsys.readouterr()
    assert main(["--name", "prod-north1", "--source", "prod-east1"]) == 0
    config = config_of(project, "prod-north1")
    assert config["slipway:cluster"] == {"context": "prod-north1"}
    assert config["slipway:services"]["beacon"]["routing"] == {
        "hosts": ["shop.example.com", "north1.shop.example.com"],
        "dns": {"route53": {**records, "setIdentifier": "north1"}},
    }
    path = "environments/prod-north1"
    assert config["slipway:delivery"] == {"path": path, "argocd": {"cluster": "north1"}}
    # An identifier without the name of the stack becomes that of the new stack.
    defaults = config["slipway:defaults"]["routing"]["dns"]["route53"]
    assert defaults == {"setIdentifier": "prod-north1"}
    _, _, unchanged = capsys.readouterr().out.partition("check them\n")
    assert "slipway:services.beacon.routing.hosts: shop.example.com\n" in unchanged
    assert "slipway:services.beacon.routing.dns.route53.failover: primary\n" in unchanged


def test_in_the_same_cluster_no_host_is_shared(project: Any) -> None:
    records = {"route53": {"setIdentifier": "beacon", "weight": 1}}
    hosts = ["shop.example.com", "prod.example.com"]
    assert project(cluster={"context": "eu-1"}, routing={"hosts": hosts, "dns": records}) == 0
    routing = beacon_of(project)["routing"]
    assert routing["hosts"] == ["shop-staging.example.com", "staging.example.com"]
    assert routing["dns"]["route53"]["setIdentifier"] == "staging"


STORES = {"team": {"vault": {"server": "https://vault.example.com", "role": "prod"}}}
CLUSTER_WIDE = {"scope": "cluster", "reloader": True}


@pytest.mark.parametrize(
    ("cluster", "external_secrets", "is_shared"),
    [
        ({"context": "eu-1"}, CLUSTER_WIDE, True),
        ({"context": "eu-1"}, {"reloader": True}, False),
        ({"context": "prod"}, CLUSTER_WIDE, False),
        ({"context": "eu-1", "server": "https://prod.example.com"}, CLUSTER_WIDE, False),
    ],
    ids=["same cluster", "same cluster, namespaced", "another cluster", "another server"],
)
def test_operators_that_serve_the_cluster_are_those_of_the_source_stack(
    project: Any, cluster: dict[str, str], external_secrets: dict[str, Any], *, is_shared: bool
) -> None:
    tls = {"tls": {"mode": "selfSigned"}}
    changes = {"cluster": cluster, "routing": tls, "secretStores": STORES}
    assert project(**changes, externalSecrets=external_secrets) == 0
    config = config_of(project)
    if is_shared:
        assert config["slipway:externalSecrets"] == {"reloader": True, "enabled": False}
    else:
        assert config["slipway:externalSecrets"] == external_secrets
    is_same = cluster == {"context": "eu-1"}
    assert ("slipway:certManager" in config) == is_same
    assert not is_same or config["slipway:certManager"] == {"enabled": False}


def test_secret_stores_are_copied_and_reported(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(secretStores=STORES) == 0
    assert config_of(project)["slipway:secretStores"] == STORES
    out = capsys.readouterr().out
    assert "check them\n    slipway:secretStores.team: {vault:" in out


def test_null_is_copied(project: Any) -> None:
    changes = {"routing": {"canaryOverride": {"header": None}}, "slo": {"latency": None}}
    assert project(**changes, observability={"mode": "bundled"}) == 0
    assert beacon_of(project)["routing"]["canaryOverride"] == {"header": None}
    assert beacon_of(project)["slo"] == {"latency": None}


def test_omitted_keys_of_other_namespaces_are_reported(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(**{"kubernetes:context": "x"}) == 0
    assert "omitted: keys of other namespaces\n    kubernetes:context" in capsys.readouterr().out


def test_an_omitted_key_has_its_description_and_its_default_in_a_comment(project: Any) -> None:
    assert project(observability={"mode": "bundled"}, slo={"availability": 99.5}) == 0
    text = (project.folder / "Pulumi.staging.yaml").read_text()
    section = "      # HorizontalPodAutoscaler of each version.\n      #autoscaling: {}\n"
    assert section in text
    assert "        # Rolling window of the objectives, in days.\n        #windowDays: 30\n" in text


@needs_example
@pytest.mark.parametrize("source", ["dev", "prod"])
def test_every_example_key_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    shutil.copy(path_of(source), tmp_path)
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    assert main(["--name", "staging", "--source", source]) == 0
    file = tmp_path / "Pulumi.staging.yaml"
    before, written = load(str(file)), read_config(file)
    text, count = re.subn(r"(?m)^( *)#([\w:]+: .*)$", r"\1\2", file.read_text())
    assert count > 50
    file.write_text(text)
    assert read_config(file) != written
    assert load(str(file)) == before


def test_pulumi_keeps_the_column_of_each_comment(project: Any) -> None:
    changes = {"observability": {"mode": "bundled", "logs": {"retentionDays": 3}}}
    assert project(**changes, defaults={"slo": {"windowDays": 14}}) == 0
    lines = (project.folder / "Pulumi.staging.yaml").read_text().splitlines()
    column = None
    for line in reversed([line for line in lines if line]):
        # It moves comments to the column of the next key.
        start = len(line) - len(line.lstrip())
        if line.lstrip().startswith("#"):
            assert start == column, line
        else:
            column = start


def test_an_existing_file_is_not_overwritten(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "config: {slipway:namespace: {name: mine}}"
    (project.folder / "Pulumi.staging.yaml").write_text(text)
    assert project() == BAD_INPUT
    assert (project.folder / "Pulumi.staging.yaml").read_text() == text
    assert "exists already" in capsys.readouterr().err


def test_the_file_of_a_new_stack_without_configuration_is_replaced(project: Any) -> None:
    (project.folder / "Pulumi.staging.yaml").write_text("encryptionsalt: v1:a\n")
    assert project() == 0
    assert config_of(project)["slipway:namespace"] == {"name": "beacon-staging"}


@pytest.mark.parametrize("name", ["", "Staging", "9", "a/b", "../x", "a.b", "-", "a" * 41, "a b"])
def test_an_invalid_name_is_refused(
    project: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert project(name) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]
    assert f"NAME={name} is not a stack name" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["nix", "../prod", ""])
def test_a_missing_source_stack_is_refused(project: Any, source: str) -> None:
    assert project(source=source) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]


def test_no_file_is_written_if_it_would_be_invalid(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project("a" * 40, namespace={"name": f"{'b' * 40}-prod"}) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]
    assert "slipway:namespace.name" in capsys.readouterr().err


@needs_example
@pytest.mark.parametrize("source", ["dev", "prod"])
def test_a_copy_of_a_shipped_stack_can_be_loaded_and_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    shutil.copy(path_of(source), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
        assert main(["--name", "staging", "--source", source]) == 0
    file = str(tmp_path / "Pulumi.staging.yaml")
    copied, original = load(file, check_sources=True), load(source)
    assert copied.services["beacon"].autoscaling == original.services["beacon"].autoscaling
    assert "00-namespace-beacon-staging.yaml" in manifests_of(file)


def test_release_commands_can_edit_the_file(project: Any) -> None:
    assert project(release={"strategy": "canary"}) == 0
    ReleaseFile("staging", "beacon").start_canary("2.0.0", 5, None).save()
    assert beacon_of(project)["release"]["canary"] == {"version": "2.0.0", "weight": 5}
    assert "#beforeStart: null" in (project.folder / "Pulumi.staging.yaml").read_text()


def test_a_stack_created_from_one_that_extends_another_has_the_keys_of_its_own_file(
    project: Any,
) -> None:
    assert project("east") == 0
    beacon = {"autoscaling": {"minReplicas": 5}, "routing": {"hosts": ["shop.east.example.com"]}}
    own = {
        "slipway:extends": "prod",
        "slipway:cluster": {"context": "east"},
        "slipway:services": {"beacon": beacon},
    }
    file = project.folder / "Pulumi.east.yaml"
    file.write_text(yaml.safe_dump({"config": own}))
    assert main(["--name", "north", "--source", "east"]) == 0
    beacon["routing"] = {"hosts": ["shop.north.example.com"]}
    assert config_of(project, "north") == {**own, "slipway:cluster": {"context": "north"}}
    # In the same cluster, the names of the extended file have to be others, too.
    del own["slipway:cluster"]
    file.write_text(yaml.safe_dump({"config": own}))
    assert main(["--name", "south", "--source", "east"]) == 0
    assert config_of(project, "south")["slipway:namespace"] == {"name": "beacon-prod-south"}
