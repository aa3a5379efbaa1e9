"""Patches and linker flags of a build."""

from pathlib import Path

import pytest

from local import build
from local.build import Builder
from local.errors import LocalError
from local.layout import Layout
from local.recipes import Program, Recipe
from local.toolchain import Toolchain

MODULE = "example.com/server"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "own.go").write_text("package own\n")
    return folder


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """Builder with a fake module and a `go` command that does nothing."""
    module = tmp_path / "module"
    module.mkdir()
    for name in ("cloud", "flags", "ui"):
        (module / f"{name}.go").write_text(f"package {name} // TLSSetting, MyTLSSettings\n")
    monkeypatch.setattr(Builder, "_module", lambda *_: module)
    monkeypatch.setattr(Builder, "_go", lambda *_: "")
    return Builder(Layout(tmp_path / "home"), Toolchain(Path("/go"), "1.26.8"))


def patched(builder, source, **changes):
    builder._patch(source, MODULE, Recipe("tool", {}, **changes))
    return {path.name: path.read_text() for path in (source / "patched").rglob("*.go")}


def test_files_of_a_module_are_replaced_or_removed(builder, source):
    files = patched(builder, source, patches={MODULE: {"ui.go": "own.go", "cloud.go": ""}})
    assert sorted(files) == ["flags.go", "ui.go"]
    assert files["ui.go"] == "package own\n"


def test_an_identifier_is_renamed_as_a_whole_word(builder, source):
    files = patched(builder, source, edits={MODULE: {"flags.go": {"TLSSetting": "TLS"}}})
    assert files["flags.go"] == "package flags // TLS, MyTLSSettings\n"
    assert "TLSSetting," in files["ui.go"]


def test_text_with_punctuation_and_backslashes_is_replaced(builder, source):
    edits = {"// TLSSetting,": "\\1", "flags": "x"}
    files = patched(builder, source, edits={MODULE: {"flags.go": edits}})
    assert files["flags.go"] == "package x \\1 MyTLSSettings\n"


def test_a_file_is_added_to_a_module(builder, source):
    files = patched(builder, source, additions={MODULE: {"added.go": "own.go"}})
    assert files["added.go"] == "package own\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"patches": {MODULE: {"gone.go": "own.go"}}},
        {"edits": {MODULE: {"flags.go": {"Gone": "There"}}}},
    ],
    ids=["a file", "a word"],
)
def test_a_patch_of_a_missing_file_or_word_is_refused(changes, builder, source):
    with pytest.raises(LocalError, match=r"example\.com/server"):
        patched(builder, source, **changes)


def test_programs_with_the_same_version_variable_get_their_own_versions(monkeypatch):
    monkeypatch.setattr(Recipe, "version_of", lambda _, module: module[-1])
    made = Recipe(
        "tool", {"a": Program("x/a", "m1", "v.Version"), "b": Program("x/b", "m2", "v.Version")}
    )
    assert build._linker_flags(made, ["a", "b"]) == [
        "-ldflags=-s -w",
        "-ldflags=x/a=-s -w -X v.Version=1",
        "-ldflags=x/b=-s -w -X v.Version=2",
    ]
