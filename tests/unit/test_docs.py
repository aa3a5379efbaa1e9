"""Links, make targets and settings keys in the documentation exist."""

import re
from collections.abc import Iterator
from pathlib import Path

from commands.settings_docs import Key, sections
from settings.schema import EXTENDS
from tests.cluster.conftest import SLOW

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def paths(key: Key) -> Iterator[str]:
    """Yield the paths of a key and its nested keys."""
    yield key.path
    for inner in key.keys:
        yield from paths(inner)


def test_links_to_files_resolve() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text()))
    for page in PAGES:
        named = set(re.findall(r"(?:\$ |`|\()make (?:-s )?([a-z-]+)", page.read_text()))
        assert named - targets == set(), page.name


def test_the_index_links_to_all_pages() -> None:
    index = (DOCS / "README.md").read_text()
    assert [p.name for p in PAGES if p.name != "README.md" and f"({p.name})" not in index] == []


def test_settings_keys_exist() -> None:
    leaves = [leaf for section in sections() for leaf in section.leaves()]
    known = {path for section in sections() for path in paths(section)}
    known |= {"slipway:services.<name>", f"slipway:{EXTENDS}"}
    mappings = tuple(f"{leaf.path}." for leaf in leaves if leaf.type == "mapping")
    known.add("slipway:services.<name>.secrets.<name>")
    for page in PAGES:
        text = re.sub(r"slipway:services\.[a-z-]+", "slipway:services.<name>", page.read_text())
        text = re.sub(r"(slipway:services\.<name>\.secrets)\.[a-z-]+", r"\1.<name>", text)
        named = set(re.findall(r"(slipway:[A-Za-z]+(?:\.<name>|\.[A-Za-z0-9]+)*)", text))
        unknown = {key for key in named - known if not key.startswith(mappings)}
        assert unknown == set(), page.name


def test_the_files_that_the_architecture_names_exist() -> None:
    named = re.findall(r"`([a-z_./-]+(?:/|\.py|\.yaml))`", (DOCS / "architecture.md").read_text())
    assert len(named) > 20
    assert [path for path in named if not (PROJECT / path).exists()] == []


def test_every_slow_test_is_documented() -> None:
    table = (DOCS / "tested.md").read_text().partition("## Slow tests")[2]
    assert set(re.findall(r"`(test_\w+\.py)`", table)) == set(SLOW)
