"""Main package, version variable and build context of a Go source folder."""

from pathlib import Path
from typing import Any

import pytest

from settings import (
    BuildSettings,
    SourceError,
    check_source,
    find_program,
    own_dockerfile,
    stack_file,
)
from settings.go_source import GoProgram

MAIN = "package main\n\nfunc main() {}\n"
MODULE = "module example.com/shop\n\ngo 1.26\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stack_file, "PROJECT_FOLDER", tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def source(project: Path, files: dict[str, str], name: str = "shop") -> str:
    write(project / name, {"go.mod": MODULE, **files})
    return name


def program(source: str, service: str = "shop", **build: Any) -> GoProgram:
    return find_program(source, BuildSettings(**build), service)


def error_of(source: str, service: str = "shop", **build: Any) -> str:
    with pytest.raises(SourceError) as caught:
        check_source(source, BuildSettings(**build), service)
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "main_package"),
    [
        ({"main.go": MAIN}, "."),
        ({"server/main.go": MAIN, "lib/lib.go": "package lib\n"}, "./server"),
        ({"main.go": MAIN, "tools/x/x.go": MAIN}, "."),
        ({"cmd/shop/main.go": MAIN, "cmd/other/main.go": MAIN}, "./cmd/shop"),
        ({"a/a.go": MAIN, "gen/gen.go": f"//go:build ignore\n\n{MAIN}"}, "./a"),
        ({"a/a.go": MAIN, "b/b.go": f"//go:build !linux || (mips && cgo)\n\n{MAIN}"}, "./a"),
        ({"a/a.go": f"//go:build go1.20 && !windows\n\n{MAIN}"}, "./a"),
        ({"a/a.go": MAIN, "b/b_windows.go": MAIN, "c/c_linux_mips.go": MAIN}, "./a"),
        ({"a/a_linux_arm64.go": MAIN}, "./a"),
        ({"a/a.go": MAIN, "b/b_test.go": MAIN, "testdata/c/c.go": MAIN, "_d/d.go": MAIN}, "./a"),
        ({"a/a.go": MAIN, "vendor/b/b.go": MAIN, ".c/c.go": MAIN}, "./a"),
        ({"a/a.go": MAIN, "nested/go.mod": "module x\n", "nested/b.go": MAIN}, "./a"),
        ({"a/a.go": f"/* package doc\n{MAIN} */\n// A command.\n{MAIN}"}, "./a"),
    ],
)
def test_the_main_package_is_found_as_go_finds_it(
    project: Path, files: dict[str, str], main_package: str
) -> None:
    assert program(source(project, files)).main_package == main_package


def test_a_build_tag_of_the_settings_selects_files(project: Path) -> None:
    files = {"a/a.go": MAIN, "b/b.go": f"//go:build postgres\n\n{MAIN}"}
    assert program(source(project, files)).main_package == "./a"
    assert "./a or ./b" in error_of("shop", tags=("postgres",))


def test_several_main_packages_without_a_preferred_one_are_listed(project: Path) -> None:
    source(project, {"cmd/a/main.go": MAIN, "cmd/b/main.go": MAIN})
    assert error_of("shop") == (
        "image.build.mainPackage is missing: use a main package of shop: ./cmd/a or ./cmd/b"
    )
    assert program("shop", main_package="./cmd/b").main_package == "./cmd/b"
    assert error_of("shop", main_package="./lib") == (
        'image.build.mainPackage is "./lib": use ./cmd/a or ./cmd/b'
    )


@pytest.mark.parametrize(
    ("files", "variable"),
    [
        ({"main.go": f'{MAIN}var version = "dev"\n'}, "main.version"),
        ({"main.go": f"{MAIN}var (\n\tcommit  string\n\tVersion string // by ld\n)\n"},
         "main.Version"),
        ({"main.go": f'{MAIN}var commit, version = "none", "dev"\n'}, "main.version"),
        ({"main.go": MAIN, "pkg/version/v.go": 'package version\n\nvar VERSION = "1"\n'},
         "example.com/shop/pkg/version.VERSION"),
        ({"main.go": f"{MAIN}var version = load()\n"}, None),
        ({"main.go": f"{MAIN}const version = \"1\"\n"}, None),
        ({"main.go": "package main\n\nfunc main() {\n\tvar version string\n}\n"}, None),
        ({"main.go": f"{MAIN}var version int\n"}, None),
        ({"main.go": MAIN, "a/version/v.go": "package version\n\nvar Version string\n",
          "b/version/v.go": "package version\n\nvar Version string\n"}, None),
    ],
)  # fmt: skip
def test_the_version_variable_is_one_that_the_linker_can_set(
    project: Path, files: dict[str, str], variable: str | None
) -> None:
    assert program(source(project, files)).version_variable == variable


def test_a_version_variable_that_does_not_exist_is_refused(project: Path) -> None:
    source(project, {"main.go": f'{MAIN}var release = "1"\n'})
    assert program("shop", version_variable="main.release").version_variable == "main.release"
    assert error_of("shop", version_variable="main.version") == (
        'image.build.versionVariable is "main.version": use a string variable of that package: '
        "main.release"
    )
    # A package of another module cannot be read here.
    other = "github.com/prometheus/common/version.Version"
    assert program("shop", version_variable=other).version_variable == other


def test_a_module_of_a_workspace_is_built_in_the_workspace(project: Path) -> None:
    source(project, {"main.go": MAIN}, "mono/shop")
    source(project, {"lib.go": "package lib\n"}, "mono/lib")
    source(project, {"main.go": MAIN}, "mono/other")
    (project / "mono/go.work").write_text("go 1.26\n\nuse (\n\t./shop\n\t./lib // shared\n)\n")
    found = program("mono/shop")
    assert (found.context, found.folder) == ("mono", "shop")
    assert not found.has_downloadable_modules
    # Go ignores a workspace that does not use the module.
    assert program("mono/other").context == "mono/other"
    assert program("mono").main_package == "./shop"


def test_a_local_replacement_outside_the_context_names_the_context_to_use(project: Path) -> None:
    replace = f"{MODULE}\nreplace example.com/lib => ../lib\n"
    source(project, {"main.go": MAIN, "go.mod": replace}, "mono/shop")
    assert error_of("mono/shop") == (
        "image.build.context is missing: use mono: mono/shop/go.mod replaces example.com/lib by "
        "../lib"
    )
    found = program("mono/shop", context="mono")
    assert (found.context, found.folder) == ("mono", "shop")


@pytest.mark.parametrize(
    ("files", "build", "error"),
    [
        (None, {}, 'source is "shop": use a folder that exists, relative to the project'),
        ({}, {}, 'source is "shop": use a folder with a go.mod or a Dockerfile'),
        ({"api/go.mod": MODULE}, {},
         'source is "shop": use a folder with a go.mod or a Dockerfile, such as shop/api'),
        ({"src/api/go.mod": MODULE}, {},
         'source is "shop": use a folder with a go.mod or a Dockerfile, such as shop/src/api'),
        ({"go.mod": "go 1.26\n"}, {},
         'source is "shop": use a folder with a go.mod that has a module line'),
        ({"go.mod": MODULE, "lib.go": "package lib\n"}, {},
         'source is "shop": use a folder with a main package: it has none'),
        ({"go.mod": MODULE, "main.go": MAIN}, {"dockerfile": "build/Dockerfile"},
         'image.build.dockerfile is "build/Dockerfile": use a file in shop'),
        ({"go.mod": MODULE, "main.go": MAIN}, {"context": "other"},
         'image.build.context is "other": use a folder that exists, relative to the project'),
        ({"go.mod": MODULE, "main.go": MAIN}, {"context": "shop/inner"},
         'image.build.context is "shop/inner": use a folder that contains shop'),
        ({"go.mod": MODULE, "main.go": MAIN}, {"target": "release"},
         'image.build.target is "release": use none without a Dockerfile'),
        ({"Dockerfile": "FROM scratch\n"}, {"cgo": True, "base_image": "debian:13-slim"},
         "image.build.cgo is true: use false with shop/Dockerfile"),
        ({"Dockerfile": "FROM scratch\n"}, {"base_image": "debian:13-slim"},
         'image.build.baseImage is "debian:13-slim": use none with shop/Dockerfile, which names '
         "it"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_built_is_one_error_with_its_key(
    project: Path, files: dict[str, str] | None, build: dict[str, Any], error: str
) -> None:
    if files is not None:
        write(project / "shop", {"inner/keep": "", **files})
    assert error_of("shop", **build) == error


def test_a_dockerfile_of_the_source_is_not_used_if_the_settings_say_null(project: Path) -> None:
    write(project / "shop", {"Dockerfile": "FROM scratch\n", "go.mod": MODULE, "main.go": MAIN})
    assert own_dockerfile("shop", BuildSettings()) == "shop/Dockerfile"
    assert own_dockerfile("shop", BuildSettings(dockerfile=None)) is None


def test_a_source_with_a_dockerfile_needs_no_go_module(project: Path) -> None:
    write(project / "shop", {"Dockerfile": "FROM scratch\n"})
    check_source("shop", BuildSettings(), "shop")
