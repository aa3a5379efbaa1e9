"""Pages say what is there: links lead somewhere, commands exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.keys import Key, sections

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def paths(key: Key) -> Iterator[str]:
    """The paths of a key and of all below it."""
    yield key.path
    for inner in key.keys:
        yield from paths(inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_is_there(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text()))
    named = set(re.findall(r"(?:\$ |`|\()make (?:-s )?([a-z-]+)", page.read_text()))
    assert named - targets == set()


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    assert [p.name for p in PAGES if p.name != "README.md" and f"({p.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_is_one_of_the_settings(page: Path) -> None:
    known = {path for section in sections() for path in paths(section)}
    named = set(re.findall(r"(slipway:[A-Za-z]+(?:\.[A-Za-z]+)*)", page.read_text()))
    assert named - known == set()
