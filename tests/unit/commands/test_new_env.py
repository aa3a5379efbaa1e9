"""A new stack's file: complete, valid, and with names of its own."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import stack_file
from commands.diff.__main__ import main as diff
from commands.errors import BAD_INPUT
from commands.new_env import main
from commands.stack_file import StackFile
from settings import load
from tests.unit.commands.repository import Repository
from tests.unit.stacks import SMALLEST, changed

VERSION = (Path(__file__).resolve().parents[3] / "app" / "VERSION").read_text().strip()
LOGIN = {"username": "robot", "password": {"secure": "v1:abc:def"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with the stack file ``prod``; writes it with changes and makes others from it."""
    monkeypatch.setattr(stack_file, "PROJECT", tmp_path)

    def make(name: str = "staging", source: str = "prod", **changes: Any) -> int:
        prod = {
            "namespace": {"name": "beacon-prod"},
            "cluster": {"context": "prod"},
            "routing": {"host": "beacon.example.com"},
        }
        sections = changed(changed(SMALLEST, prod), changes)
        config = {key if ":" in key else f"slipway:{key}": val for key, val in sections.items()}
        (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))
        return main(["--name", name, "--source", source])

    make.folder = tmp_path  # type: ignore[attr-defined]
    return make


def config_of(project: Any, name: str = "staging") -> dict[str, Any]:
    return yaml.safe_load((project.folder / f"Pulumi.{name}.yaml").read_text())["config"]


def test_values_are_those_of_the_other_stack_but_for_the_names(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(autoscaling={"maxReplicas": 7}) == 0
    config = config_of(project)
    assert config["slipway:autoscaling"] == {"maxReplicas": 7}
    assert config["slipway:namespace"] == {"name": "beacon-staging"}
    assert config["slipway:cluster"] == {"context": "staging"}
    assert config["slipway:routing"] == {"host": "beacon-staging.example.com"}
    assert "slipway:namespace.name: beacon-prod -> beacon-staging" in capsys.readouterr().out


def test_a_context_that_does_not_name_the_environment_is_kept_and_told(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project(cluster={"context": "eu-1"}) == 0
    assert config_of(project)["slipway:cluster"] == {"context": "eu-1"}
    assert "slipway:cluster.context: eu-1 (as prod has it)" in capsys.readouterr().out


def test_a_name_is_replaced_as_a_whole_word_only(project: Any) -> None:
    assert project(namespace={"name": "products-prod"}) == 0
    assert config_of(project)["slipway:namespace"] == {"name": "products-staging"}


def test_servers_on_the_same_cluster_get_namespaces_of_their_own(project: Any) -> None:
    assert project(cluster={"context": "eu-1"}, observability={"mode": "bundled"}) == 0
    config = config_of(project)
    assert config["slipway:network"] == {"monitoringNamespace": "monitoring-staging"}
    assert config["slipway:observability"]["nodeNamespace"] == "monitoring-node-staging"


def test_servers_on_another_cluster_keep_theirs(project: Any) -> None:
    assert project(observability={"mode": "bundled"}) == 0
    assert config_of(project)["slipway:observability"] == {"mode": "bundled"}


def test_secrets_are_left_out_with_the_section_that_needs_them(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    token = {"adminToken": {"secure": "v1:ghi:jkl"}, "port": 8081}
    assert project(image={"credentials": LOGIN}, service=token) == 0
    text = (project.folder / "Pulumi.staging.yaml").read_text()
    assert "v1:" not in text
    assert "login" not in config_of(project)["slipway:image"]
    assert config_of(project)["slipway:service"] == {"port": 8081}
    out = capsys.readouterr().out
    assert "slipway:image.credentials.password" in out
    assert "slipway:service.adminToken" in out


def test_null_is_a_value(project: Any) -> None:
    assert project(routing={"canaryOverride": {"header": None}}, slo={"latency": None}) == BAD_INPUT
    values = {"mode": "bundled"}
    assert (
        project(
            routing={"canaryOverride": {"header": None}},
            slo={"latency": None},
            observability=values,
        )
        == 0
    )
    config = config_of(project)
    assert config["slipway:routing"]["canaryOverride"] == {"header": None}
    assert config["slipway:slo"] == {"latency": None}


def test_keys_of_providers_are_told(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert project(**{"kubernetes:context": "x"}) == 0
    assert "left out: keys of providers\n    kubernetes:context" in capsys.readouterr().out


def test_every_key_is_there_with_its_meaning_and_its_default_can_be_uncommented(
    project: Any,
) -> None:
    assert project() == 0
    text = (project.folder / "Pulumi.staging.yaml").read_text()
    assert "  # HorizontalPodAutoscaler of each version.\n" in text
    assert "    # Maximum number of replicas. They" in text
    before = load(str(project.folder / "Pulumi.staging.yaml"))
    assert "    #minReplicas: 3\n" in text
    uncommented = text.replace("#maxReplicas: ", "maxReplicas: ")
    uncommented = uncommented.replace("  #slipway:autoscaling:", "  slipway:autoscaling:")
    assert uncommented != text
    (project.folder / "Pulumi.staging.yaml").write_text(uncommented)
    assert load(str(project.folder / "Pulumi.staging.yaml")) == before


def test_a_file_that_is_there_is_never_overwritten(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.folder / "Pulumi.staging.yaml").write_text("mine")
    assert project() == BAD_INPUT
    assert (project.folder / "Pulumi.staging.yaml").read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Staging", "9", "a/b", "../x", "a.b", "-", "a" * 41, "a b"])
def test_a_name_that_cannot_name_a_namespace_is_refused(
    project: Any, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert project(name) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]
    assert f"NAME={name} is not a name for an environment" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["nix", "../prod", ""])
def test_a_stack_to_start_from_that_is_none_is_refused(project: Any, source: str) -> None:
    assert project(source=source) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]


def test_nothing_is_written_where_the_result_could_not_be_used(
    project: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert project("a" * 40, namespace={"name": f"{'b' * 40}-prod"}) == BAD_INPUT
    assert [file.name for file in project.folder.iterdir()] == ["Pulumi.prod.yaml"]
    assert "slipway:namespace.name" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["dev", "prod"])
def test_a_stack_made_from_a_shipped_one_loads_renders_and_diffs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    repository = Repository(tmp_path)
    monkeypatch.setattr(stack_file, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["--name", "staging", "--source", source]) == 0
    file = str(tmp_path / "Pulumi.staging.yaml")
    settings = load(file, Path("app/VERSION"))
    assert settings.namespace.name == "beacon-staging"
    original = load(str(tmp_path / f"Pulumi.{source}.yaml"))
    assert settings.autoscaling == original.autoscaling
    capsys.readouterr()
    assert diff(["--stack", "staging", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["action"] for one in listed} == {"added"}
    assert ("Namespace", "beacon-staging") in {(one["kind"], one["name"]) for one in listed}
    repository.commit()
    assert diff(["--stack", "staging"]) == 0
    assert "no object changes" in capsys.readouterr().out


def test_release_commands_can_edit_the_file(project: Any) -> None:
    assert project(release={"strategy": "canary"}) == 0
    StackFile("staging").start_canary("2.0.0", 5, None).save()
    assert config_of(project)["slipway:release"]["canary"] == {"version": "2.0.0", "weight": 5}
    assert "#canary:" in (project.folder / "Pulumi.staging.yaml").read_text()
