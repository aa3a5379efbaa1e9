"""Recipes: fingerprints and versions."""

import re

import pytest

from local import recipes
from local.recipes import RECIPES, Program, Recipe

ALL = {recipe.name: recipe for recipe in RECIPES.values()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of a small recipe."""
    monkeypatch.setattr(recipes.layout, "TOOLS", tmp_path)
    tool = tmp_path / "tool"
    tool.mkdir()
    (tool / "go.mod").write_text("module tool\n\nrequire example.com/tool v1.2.3\n")
    (tool / "main.go").write_text("package main\n")
    return tool


def recipe():
    return Recipe("tool", {"tool": Program("example.com/tool", "example.com/tool")})


def test_the_fingerprint_does_not_depend_on_timestamps(folder):
    before = recipe().fingerprint("1.26.0")
    (folder / "main.go").touch()
    assert recipe().fingerprint("1.26.0") == before


@pytest.mark.parametrize("change", ["content", "new file", "name", "toolchain", "recipe"])
def test_the_fingerprint_changes_with(change, folder):
    before = recipe().fingerprint("1.26.0")
    match change:
        case "content":
            (folder / "main.go").write_text("package main // changed\n")
        case "new file":
            (folder / "patches").mkdir()
            (folder / "patches" / "one.go").write_text("")
        case "name":
            (folder / "main.go").rename(folder / "other.go")
    changed = Recipe("tool", {"tool": Program("x/tool")}) if change == "recipe" else recipe()
    assert changed.fingerprint("1.27.0" if change == "toolchain" else "1.26.0") != before


def test_the_version_is_the_one_in_go_mod(folder):
    assert recipe().version("tool") == "v1.2.3"


def test_a_module_that_go_mod_does_not_require_has_no_version(folder):
    with pytest.raises(ValueError, match=r"does not require example\.com/other"):
        recipe().version_of("example.com/other")


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_has_go_sum_and_versions(name):
    known = ALL[name]
    assert (known.folder / "go.sum").is_file()
    for program, described in known.programs.items():
        pattern = r"v?\d+\.\d+\.\d+(-\d{14}-[0-9a-f]{12})?" if described.module else "-"
        assert re.fullmatch(pattern, known.version(program))
        if described.stamp:
            assert described.module


@pytest.mark.parametrize("name", ALL)
def test_every_replacement_file_of_a_patch_exists(name):
    for replaced in (*ALL[name].patches.values(), *ALL[name].additions.values()):
        for replacement in replaced.values():
            assert (ALL[name].folder / replacement).is_file() or not replacement
