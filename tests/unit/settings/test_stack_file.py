"""Stack files on disk, and the schema that editors check them with."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from settings import Settings, SettingsError
from settings.schema import SCHEMA_FILE, stack_file_schema
from settings.stack_file import path_of, read, stack_of

CHECKOUT = Path(__file__).resolve().parents[3]


def written(folder: Path, text: str) -> Path:
    file = folder / "Pulumi.test.yaml"
    file.write_text(text)
    return file


def test_the_sections_of_the_project_are_read_and_those_of_providers_are_not(
    tmp_path: Path,
) -> None:
    text = "config:\n  slipway:service: {port: 8080}\n  kubernetes:context: here\n"
    assert read(written(tmp_path, text)) == {"service": {"port": 8080}}


def test_what_pulumi_writes_beside_the_config_is_accepted(tmp_path: Path) -> None:
    text = "encryptionsalt: v1:abc\nsecretsprovider: passphrase\nconfig: {}\n"
    assert read(written(tmp_path, text)) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config: [", "line 1, column 10 is not valid YAML: "),
        ("config:\n  a: 1\n a: 2\n", "line 3, column 2 is not valid YAML: "),
        ("config:\n\tslipway:a: 1\n", "line 2, column 1 is not valid YAML: "),
        ("config: {slipway:a: 1, slipway:a: 2}", "line 1, column 24 is not valid YAML: "),
        ("<<<<<<< HEAD\nconfig: {}\n", "line 1 is a merge conflict: resolve it"),
        ("config: {}\n=======\n", "line 2 is a merge conflict: resolve it"),
        ("- a\n", "it is not a mapping: use a mapping with the key config"),
        ("", "it is not a mapping: use a mapping with the key config"),
        ("config: [a]\n", "config is not a mapping: use keys like slipway:service"),
        ("confg: {}\n", "confg is not a key: did you mean config?"),
        ("config: {routing: {}}\n", "routing is not a key: use slipway:routing, or the namespace"),
    ],
)
def test_a_file_that_is_no_stack_file_is_refused_by_place_and_reason(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(written(tmp_path, text))
    (problem,) = error.value.errors
    assert problem.startswith(says)
    assert str(error.value).startswith("Pulumi.test.yaml has an error:\n  ")


def test_a_missing_file_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, "config: {}")
    with pytest.raises(SettingsError, match=r"it does not exist: use Pulumi\.test\.yaml"):
        read(tmp_path / "Pulumi.prd.yaml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="it cannot be read: "):
        read(file)


def test_words_that_other_yaml_takes_for_booleans_stay_words(tmp_path: Path) -> None:
    file = written(tmp_path, "config:\n  slipway:service: {name: yes, port: on}\n")
    assert read(file) == {"service": {"name": "yes", "port": "on"}}


def test_keys_that_yaml_takes_for_something_else_are_text(tmp_path: Path) -> None:
    file = written(tmp_path, "config:\n  slipway:service: {8080: a, true: b, null: [{1.5: c}]}\n")
    assert read(file) == {"service": {"8080": "a", "true": "b", "null": [{"1.5": "c"}]}}


def test_the_schema_for_editors_is_that_of_the_settings() -> None:
    expected = stack_file_schema(Settings)
    assert json.loads(SCHEMA_FILE.read_text()) == expected, "run `python -m settings`"


@pytest.mark.parametrize("file", sorted(CHECKOUT.glob("Pulumi.*.yaml")), ids=lambda one: one.name)
def test_every_stack_file_names_the_schema_for_editors(file: Path) -> None:
    first = file.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE.relative_to(CHECKOUT)}"


@pytest.fixture(scope="module")
def editor() -> Draft202012Validator:
    """Checks a document as an editor does."""
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("file", sorted(CHECKOUT.glob("Pulumi.*.yaml")), ids=lambda one: one.name)
def test_editors_find_nothing_wrong_with_the_projects_own_stacks(
    editor: Draft202012Validator, file: Path
) -> None:
    assert list(editor.iter_errors(yaml.safe_load(file.read_text()))) == []


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("autoscaling", {"maxReplcas": 3}),
        ("autoscaling", {"maxReplicas": 0}),
        ("autoscaling", {"enabled": "yes"}),
        ("release", {"stable": {"version": "latest"}}),
        ("image", {"registry": "localhost:5000", "repository": "a", "builder": "kaniko"}),
        ("service", {"adminToken": "in clear"}),
        ("workload", {"rollout": {"maxSurge": "lots"}}),
        ("rooting", {}),
    ],
)
def test_editors_mark_what_is_wrong(
    editor: Draft202012Validator, section: str, values: dict[str, object]
) -> None:
    document = yaml.safe_load((CHECKOUT / "Pulumi.dev.yaml").read_text())
    document["config"][f"slipway:{section}"] = values
    (error,) = editor.iter_errors(document)
    assert section in error.message or section in "".join(map(str, error.path))


def test_every_key_is_described_for_editors() -> None:
    nodes = [Settings.model_json_schema(), *Settings.model_json_schema()["$defs"].values()]
    undescribed = [
        f"{node['title']}.{name}"
        for node in nodes
        for name, key in node.get("properties", {}).items()
        if "description" not in key and "$ref" not in key
    ]
    assert undescribed == []


def test_a_stack_is_found_by_name_or_by_path() -> None:
    assert path_of("dev") == CHECKOUT / "Pulumi.dev.yaml"
    assert path_of("/else/where/Pulumi.dev.yaml") == Path("/else/where/Pulumi.dev.yaml")
    assert stack_of(path_of("eu.prod")) == "eu.prod"
