"""Reference of all keys."""

from typing import Any

from commands.config_doc import FILE, document
from commands.settings_docs import NAME, Key, sections
from tests.unit.stacks import SMALLEST, settings

MISSING = object()


def leaves() -> dict[str, Key]:
    return {key.path: key for section in sections() for key in section.leaves()}


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text() == document(), "run `make config-doc`"


def test_every_default_is_the_one_that_applies() -> None:
    values = settings().model_dump(mode="json", by_alias=True)
    compared = 0
    for path, key in leaves().items():
        value: Any = values
        given: Any = SMALLEST
        for part in path.removeprefix("slipway:").replace(NAME, "beacon").split("."):
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
            given = given.get(part, MISSING) if isinstance(given, dict) else MISSING
        if value is not MISSING and given is MISSING:
            assert key.default == value, path
            compared += 1
    assert compared > 100


def test_keys_without_a_default_are_required() -> None:
    page = document()
    assert "| `host` | string | required | a registry" in page
    assert (
        "| `<name>.release.canary.weight` | integer | required | an integer from 0 to 100 |" in page
    )


def test_the_default_of_a_section_is_that_of_its_keys() -> None:
    assert leaves()["slipway:namespace.resourceQuota.requests.cpu"].default == "10"
    assert leaves()["slipway:services.<name>.workload.resources.requests.cpu"].default == "200m"


def test_every_key_has_a_description() -> None:
    assert [path for path, key in leaves().items() if not key.description] == []


def test_pipes_in_cells_are_escaped() -> None:
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
