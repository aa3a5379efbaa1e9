"""Stack files that extend others."""

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config, set_mocks

from render import engine_config
from settings import SettingsError, from_pulumi, load
from settings.stack_config import StackConfig, read
from tests.unit.harness import Registry
from tests.unit.stacks import DIGEST, changed, sections

SECRET = {"secure": "v1:abc:def"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the project, with a source of version 1.0.0."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "VERSION").write_text("1.0.0\n")
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path


def write(folder: Path, name: str, values: dict[str, Any]) -> Path:
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text(yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in values.items()}}))
    return path


def extend(folder: Path, base: dict[str, Any], own: dict[str, Any]) -> Path:
    """Write the stack ``prod`` and one that extends it; return the path of the latter."""
    write(folder, "prod", base)
    return write(folder, "east", {"extends": "prod", **own})


def service(**keys: Any) -> dict[str, Any]:
    return {"services": {"shop": keys}}


STABLE = {"version": "1.0.0", "digest": DIGEST}


@pytest.mark.parametrize(
    ("base", "own", "merged"),
    [
        (
            {"network": {"a": 1, "b": {"c": 2}}},
            {"network": {"b": {"c": 3}}},
            {"a": 1, "b": {"c": 3}},
        ),
        ({"network": {"a": [1, 2]}}, {"network": {"a": [3]}}, {"a": [3]}),
        ({"network": {"a": {"b": 1}}}, {"network": {"a": 2}}, {"a": 2}),
        ({"network": {"a": 1, "b": 2}}, {"network": {"a": None}}, {"b": 2}),
        ({"network": {"a": SECRET}}, {"network": {"a": {"sops": "file"}}}, {"a": {"sops": "file"}}),
        ({"network": {"a": {"sops": "file"}}}, {"network": {"a": SECRET}}, {"a": SECRET}),
    ],
    ids=["mapping", "list", "scalar", "null", "no secret", "secret"],
)
def test_a_file_is_merged_over_the_one_that_it_extends(
    project: Path, base: dict[str, Any], own: dict[str, Any], merged: object
) -> None:
    assert read(extend(project, base, own)) == {"network": merged}


@pytest.mark.parametrize(
    ("own", "release"),
    [
        ({"stable": {"version": "1.1.0"}}, {"stable": {"version": "1.1.0"}, "strategy": "canary"}),
        ({"canary": None}, {"stable": STABLE, "canary": None, "strategy": "canary"}),
        ({"strategy": "rolling"}, {"stable": STABLE, "strategy": "rolling"}),
    ],
)
def test_a_version_never_gets_the_digest_of_another_one(
    project: Path, own: dict[str, Any], release: dict[str, Any]
) -> None:
    base = service(release={"stable": STABLE, "strategy": "canary"})
    if "canary" in own:
        base["services"]["shop"]["release"]["canary"] = {"version": "2.0.0", "weight": 5}
    merged = read(extend(project, base, service(release=own)))
    assert merged["services"]["shop"]["release"] == release


def test_null_in_a_service_removes_the_default_of_the_base_too(project: Path) -> None:
    base = sections(defaults={"autoscaling": {"maxReplicas": 7}}, autoscaling={"minReplicas": 5})
    own = {"services": {"beacon": {"autoscaling": None, "slo": None}}}
    beacon = load(str(extend(project, base, own))).services["beacon"]
    assert (beacon.autoscaling.min_replicas, beacon.autoscaling.max_replicas) == (3, 10)
    assert beacon.slo is None


def test_a_chain_is_merged_from_its_end(project: Path) -> None:
    write(project, "all", {"network": {"a": 1, "b": 1, "c": 1}})
    write(project, "prod", {"extends": "all", "network": {"b": 2, "c": 2}})
    path = write(project, "east", {"extends": "prod", "network": {"c": 3}})
    assert read(path) == {"network": {"a": 1, "b": 2, "c": 3}}
    config = StackConfig.read(path)
    origins = [str(config.exact_origin(("network", key))) for key in ("a", "b", "c")]
    assert origins == ["Pulumi.all.yaml:3", "Pulumi.prod.yaml:4", "Pulumi.east.yaml:4"]


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("prd", 'Pulumi.east.yaml .*extends is "prd": use the name of a stack: did you mean prod'),
        ("Pulumi.prod.yaml", "use the name of a stack"),
        (["prod"], "use the name of a stack"),
        ("east", "use a stack that does not extend this one: Pulumi.east.yaml extends Pulumi.east"),
        ("north", "Pulumi.north.yaml .*Pulumi.east.yaml extends Pulumi.north.yaml extends Pulu"),
    ],
)
def test_a_missing_stack_and_a_cycle_are_refused(
    project: Path, extends: object, message: str
) -> None:
    write(project, "prod", {})
    write(project, "north", {"extends": "east"})
    path = write(project, "east", {"extends": extends})
    with pytest.raises(SettingsError) as error:
        load(str(path))
    assert re.search(message, " ".join(str(error.value).split()))


@pytest.mark.parametrize(
    ("own", "is_refused"),
    [
        ({}, True),
        ({"credentials": {"username": "robot"}}, True),
        ({"credentials": {"password": SECRET | {"secure": "v1:own:key"}}}, False),
        ({"credentials": None}, False),
    ],
)
def test_a_secret_of_the_base_is_refused_unless_the_stack_has_its_own(
    project: Path, own: dict[str, Any], is_refused: bool
) -> None:
    login = {"credentials": {"username": "bot", "password": SECRET}}
    path = extend(project, sections(registry=login), {"registry": own})
    if not is_refused:
        load(str(path))
        return
    with pytest.raises(SettingsError) as error:
        load(str(path))
    (message,) = error.value.errors
    key = "slipway:registry.credentials.password"
    assert message.startswith(f"{key} is encrypted for the stack of Pulumi.prod.yaml:")
    assert f"`pulumi config set --secret --path {key} --stack east`" in message


@pytest.mark.parametrize(
    ("base", "own", "is_of_base"),
    [
        ({"autoscaling": {"maxReplicas": 0}}, {}, True),
        ({"defaults": {"autoscaling": {"maxReplicas": 0}}}, {}, True),
        ({"autoscaling": {"maxReplicas": 5}}, {"maxReplicas": 0}, False),
        ({"autoscaling": {"maxReplicas": 5}}, {"minReplicas": 6}, False),
        ({"autoscaling": {"minReplicas": 6}}, {"maxReplicas": 5}, True),
    ],
    ids=["base", "defaults of the base", "own", "own and base", "base and own"],
)
def test_an_error_names_the_file_with_the_wrong_value(
    project: Path, base: dict[str, Any], own: dict[str, Any], *, is_of_base: bool
) -> None:
    path = extend(project, sections(**base), {"services": {"beacon": {"autoscaling": own}}})
    with pytest.raises(SettingsError) as error:
        load(str(path))
    assert str(error.value).startswith("Pulumi.east.yaml has an error:")
    (message,) = error.value.errors
    lines = (project / "Pulumi.prod.yaml").read_text().splitlines()
    (line,) = (number for number, text in enumerate(lines, start=1) if "Replicas" in text)
    assert message.endswith(f" (Pulumi.prod.yaml:{line})") == is_of_base
    assert ("Pulumi." in message) == is_of_base


def test_a_file_in_a_temporary_folder_extends_a_stack_of_the_project(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(project, "prod", {"network": {"a": 1}})
    draft = write(tmp_path_factory.mktemp("draft"), "east", {"extends": "prod"})
    assert read(draft) == {"network": {"a": 1}}


def settings_in_program(values: dict[str, Any]) -> Any:
    """Settings of the program of the stack east, with the configuration from the engine."""
    set_mocks(Registry(), project="slipway", stack="east")
    set_all_config(*engine_config(values))
    try:
        return from_pulumi()
    finally:
        set_all_config({})


def test_the_program_reads_the_base_itself_unless_the_configuration_is_complete(
    project: Path,
) -> None:
    base = sections(network={"proxyNamespace": "edge"}, flagger={"enabled": False})
    own = {"extends": "prod", "flagger": {"enabled": None}, "services": {"beacon": {"slo": None}}}
    extend(project, base, own)
    direct = settings_in_program(own | {"cluster": {}})
    assert direct.network.proxy_namespace == "edge"
    assert direct.flagger.enabled
    assert direct.services["beacon"].slo is None
    complete = changed(sections(), {"services": {"beacon": {"slo": None}}})
    assert settings_in_program(complete).network.proxy_namespace == "ingress"


def test_a_section_that_is_null_is_refused_as_pulumi_does(project: Path) -> None:
    with pytest.raises(SettingsError, match="slipway:flagger is null: use a mapping"):
        load(str(extend(project, sections(flagger={"enabled": False}), {"flagger": None})))


def test_the_program_names_the_file_with_the_wrong_value(project: Path) -> None:
    extend(project, sections(autoscaling={"maxReplicas": 0}), {})
    with pytest.raises(pulumi.RunError, match=r"maxReplicas is 0: use .* \(Pulumi\.prod\.yaml:\d+"):
        settings_in_program({"extends": "prod"})
