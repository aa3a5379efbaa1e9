"""``fleet.yaml``: waves of stacks, and errors by key."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from settings import SettingsError
from settings.fleet import SCHEMA_FILE, fleet_schema, load_fleet

STACK = """\
config:
  slipway:cluster: {{context: {stack}}}
  slipway:namespace: {{name: shop}}
  slipway:registry: {{host: registry.example.com}}
  slipway:services:
    shop:
      source: .
      release: {{stable: {{version: 1.0.0}}}}
      routing: {{hosts: [shop.example.com]}}
"""
STACKS = ("east1", "east2", "east3", "north1", "north2")
PROD = """\
prod:
  regions:
    east: [east1, east2, east3]
    north: [north1, north2]
  parallelism: 2
  pause: 10m
  gate: 5m
  waves:
    - {name: first, stacks: [east1]}
    - {name: east, regions: [east], maxFailed: 1, gate: 0s}
    - {name: others, regions: [north], parallelism: 1, pause: 1h}
"""

Fleets = Callable[[str], None]


@pytest.fixture
def fleets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleets:
    """Writes ``fleet.yaml``, beside a stack file of each of STACKS."""
    monkeypatch.setattr("settings.stack_file.PROJECT_FOLDER", tmp_path)
    for stack in STACKS:
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(STACK.format(stack=stack))

    def write(text: str) -> None:
        (tmp_path / "fleet.yaml").write_text(text)

    return write


def errors_of(fleet: str = "prod") -> str:
    with pytest.raises(SettingsError) as caught:
        load_fleet(fleet)
    return str(caught.value)


def test_a_region_has_the_stacks_that_no_wave_names_itself(fleets: Fleets) -> None:
    fleets(PROD)
    waves = load_fleet("prod")
    assert [[one.stack for one in wave.members] for wave in waves] == [
        ["east1"],
        ["east2", "east3"],
        ["north1", "north2"],
    ]
    assert [one.region for one in waves[0].members] == ["east"]


def test_a_wave_has_the_values_of_its_fleet_except_its_own(fleets: Fleets) -> None:
    fleets(PROD)
    values = [
        (one.parallelism, one.pause_seconds, one.max_failed, one.gate_seconds)
        for one in load_fleet("prod")
    ]
    assert values == [(2, 600, 0, 300), (2, 600, 1, 0), (1, 3600, 0, 300)]


def test_all_stacks_of_a_wave_are_updated_at_once_without_a_parallelism(fleets: Fleets) -> None:
    fleets("prod: {waves: [{name: all, stacks: [east1, east2, east3]}]}")
    assert load_fleet("prod")[0].parallelism == 3


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "[east1, east2, east3]",
            "[east1, east2, east4]",
            'prod.regions.east[2] is "east4": use a stack: did you mean east',
        ),
        ("stacks: [east1]", "stacks: [east9]", 'prod.waves[0].stacks[0] is "east9": use a stack'),
        ("[north1, north2]", "[north1, east1]", 'prod.regions.north[1] is "east1": use each one'),
        ("stacks: [east1]", "stacks: [east1, east1]", "prod.waves[0].stacks[1] is"),
        ("regions: [north]", "regions: [east]", 'prod.waves[2].regions[0] is "east": use each one'),
        ("regions: [north]", "regions: [nort]", "did you mean north?"),
        ("name: others", "name: east", 'prod.waves[2].name is "east": use each one once'),
        ("stacks: [east1]", "stacks: []", "prod.waves[0].stacks is []: use the names of stacks"),
        (
            "stacks: [east1]",
            "stacks: [east1, east2, east3]",
            'prod.waves[1].regions[0] is "east": use a region with stacks that no wave has',
        ),
        (
            "    - {name: others, regions: [north], parallelism: 1, pause: 1h}\n",
            "",
            'prod.regions.north[0] is "north1": use a stack of a wave',
        ),
        ("pause: 10m", "pause: 10 min", 'prod.pause is "10 min": use a duration from 0s to 24h'),
        ("parallelism: 2", "parallelism: 0", "prod.parallelism is 0: use an integer from 1"),
        ("maxFailed", "maxfailed", "prod.waves[1].maxfailed is not a key: did you mean maxFailed?"),
        ("prod:", "prod:\n  waves: []\nother:", "prod.waves is []: use a list"),
        (
            "prod:",
            "other: {waves: [{name: all, stacks: [east1]}]}\nprod:",
            'prod.regions.east[0] is "east1": use a stack that other does not have',
        ),
        (PROD, "- prod", "is "),
        (PROD, "<<<<<<< HEAD", "line 1 is a merge conflict"),
        (PROD, "prod: &a\n  waves: *a", "is the alias"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_value_is_refused_by_its_key(
    fleets: Fleets, old: str, new: str, error: str
) -> None:
    fleets(PROD.replace(old, new, 1))
    message = errors_of()
    assert message.startswith("fleet.yaml has ")
    assert error in message


def test_an_unknown_fleet_is_refused_with_the_known_ones(fleets: Fleets) -> None:
    fleets(
        "prod: {waves: [{name: all, stacks: [east1]}]}\n"
        "staging: {waves: [{name: all, stacks: [north1]}]}"
    )
    assert "live is not a fleet: use prod, staging" in errors_of("live")


def test_a_missing_file_is_an_error(fleets: Fleets) -> None:
    assert "fleet.yaml has an error:\n  it does not exist" in errors_of()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("source: .", "source: 1", "slipway:services.shop.source is 1"),
        (
            "config:\n",
            "config:\n  slipway:delivery: {mode: gitops, path: x, "
            "repository: 'https://example.com/x.git'}\n",
            'slipway:delivery.mode is "gitops"',
        ),
        ("  slipway:cluster: {context: north1}\n", "", "slipway:cluster.context is missing"),
        (
            "context: north1",
            "context: north2",
            'slipway:namespace.name is "shop": use another one, or another cluster.context: '
            "north1, north2 have the same",
        ),
    ],
    ids=["invalid", "gitops", "no cluster", "one namespace"],
)
def test_all_stack_files_of_a_fleet_are_checked(
    fleets: Fleets, tmp_path: Path, old: str, new: str, error: str
) -> None:
    fleets(PROD)
    file = tmp_path / "Pulumi.north1.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    message = errors_of()
    assert f"Pulumi.north1.yaml: {error}" in message
    assert "Pulumi.east" not in message


def test_stacks_with_a_host_have_different_set_identifiers(fleets: Fleets, tmp_path: Path) -> None:
    fleets(PROD)
    for stack, identifier in {"east1": "east", "east2": "east", "north1": "north"}.items():
        file = tmp_path / f"Pulumi.{stack}.yaml"
        records = f"dns: {{route53: {{setIdentifier: {identifier}, weight: 1}}}}, hosts:"
        file.write_text(file.read_text().replace("hosts:", records))
    assert errors_of() == (
        "fleet.yaml has an error:\n  Pulumi.east2.yaml: slipway:services.shop.routing.dns.route53."
        'setIdentifier is "east": use another one: east1 has it for shop.example.com'
    )


def test_the_schema_of_the_file_is_that_of_the_settings() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == fleet_schema()
    validator = Draft202012Validator(fleet_schema())
    assert list(validator.iter_errors(yaml.safe_load(PROD))) == []
    assert list(validator.iter_errors({"prod": {"waves": []}}))
