"""Links, make targets and settings keys in the documentation exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.settings_docs import Key, sections

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def paths(key: Key) -> Iterator[str]:
    """Yield the paths of a key and its nested keys."""
    yield key.path
    for inner in key.keys:
        yield from paths(inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_resolve(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text()))
    named = set(re.findall(r"(?:\$ |`|\()make (?:-s )?([a-z-]+)", page.read_text()))
    assert named - targets == set()


def test_the_index_links_to_all_pages() -> None:
    index = (DOCS / "README.md").read_text()
    assert [p.name for p in PAGES if p.name != "README.md" and f"({p.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_keys_exist(page: Path) -> None:
    leaves = [leaf for section in sections() for leaf in section.leaves()]
    known = {path for section in sections() for path in paths(section)}
    known.add("slipway:services.<name>")
    mappings = tuple(f"{leaf.path}." for leaf in leaves if leaf.type == "mapping")
    known.add("slipway:services.<name>.secrets.<name>")
    text = re.sub(r"slipway:services\.[a-z-]+", "slipway:services.<name>", page.read_text())
    text = re.sub(r"(slipway:services\.<name>\.secrets)\.[a-z-]+", r"\1.<name>", text)
    named = set(re.findall(r"(slipway:[A-Za-z]+(?:\.<name>|\.[A-Za-z]+)*)", text))
    assert {key for key in named - known if not key.startswith(mappings)} == set()


def test_the_files_that_the_architecture_names_exist() -> None:
    named = re.findall(r"`([a-z_./-]+(?:/|\.py|\.yaml))`", (DOCS / "architecture.md").read_text())
    assert len(named) > 20
    assert [path for path in named if not (PROJECT / path).exists()] == []
