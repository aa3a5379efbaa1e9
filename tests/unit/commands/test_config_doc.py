"""Reference of all keys."""

from typing import Any

from commands.config_doc import FILE, document
from commands.settings_docs import Key, sections
from settings import Settings
from tests.unit.stacks import SMALLEST

MISSING = object()


def leaves() -> dict[str, Key]:
    return {key.path: key for section in sections() for key in section.leaves()}


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text() == document(), "run `make config-doc`"


def test_every_default_is_the_one_that_applies() -> None:
    applied = Settings.model_validate(SMALLEST, by_name=False, by_alias=True)
    values = applied.model_dump(mode="json", by_alias=True)
    compared = 0
    for path, key in leaves().items():
        value: Any = values
        for part in path.removeprefix("slipway:").split("."):
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
        given = path.removeprefix("slipway:").partition(".")[0] in SMALLEST and key.default != value
        if value is not MISSING and not given:
            assert key.default == value, path
            compared += 1
    assert compared > 100


def test_keys_without_a_default_are_required() -> None:
    page = document()
    assert "| `host` | string | required | a DNS name" in page
    assert "| `canary.weight` | integer | required | an integer from 0 to 100 |" in page


def test_the_default_of_a_section_is_that_of_its_keys() -> None:
    assert leaves()["slipway:namespace.resourceQuota.requests.cpu"].default == "10"
    assert leaves()["slipway:workload.resources.requests.cpu"].default == "200m"


def test_every_key_has_a_description() -> None:
    assert [path for path, key in leaves().items() if not key.description] == []


def test_pipes_in_cells_are_escaped() -> None:
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
