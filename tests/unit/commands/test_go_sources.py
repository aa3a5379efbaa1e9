"""Go sources of a stack's services, and the tasks on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands import go_tasks
from commands.errors import CommandError
from commands.go_sources import go_folders, go_sources
from settings import stack_file
from tests.unit.stacks import changed, sections


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Stack with two programs of one module, a module with two versions, and a published image."""
    monkeypatch.setattr(stack_file, "PROJECT_FOLDER", tmp_path)
    for path, text in {
        "mono/go.mod": "module example.com/mono\n",
        "mono/cmd/shop/main.go": "package main\n\nvar version string\n",
        "mono/cmd/cart/main.go": "package main\n",
        "hello/go.mod": "module example.com/hello\n",
        "hello/main.go": "package main\n",
        "hello/VERSION": "2.0.0\n",
        "site/Dockerfile": "FROM scratch\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    digest = f"sha256:{'a' * 64}"
    published = {"stable": {"version": "1.0.0", "digest": digest}}
    keys: dict[str, dict[str, Any]] = {
        "shop": {"source": "mono"},
        "cart": {"source": "mono", "image": {"build": {"tags": ["netgo"]}}},
        "hello": {"source": "hello"},
        "site": {"source": "site"},
        "proxy": {"release": published},
    }
    common = {"release": {"stable": {"version": "1.0.0"}}}
    services = {
        name: {**common, "routing": {"hosts": [f"{name}.localhost"]}, **one}
        for name, one in keys.items()
    }
    stack = changed(sections(), {"namespace": {"resourceQuota": {"pods": 500}}})
    quota = {"cpu": "100", "memory": "100Gi"}
    stack["namespace"]["resourceQuota"] |= {"requests": quota, "limits": quota}
    config = {f"slipway:{key}": value for key, value in {**stack, "services": services}.items()}
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(json.dumps({"config": config}))
    return str(file)


def test_every_service_with_a_go_source_is_selected(stack: str, capsys: Any) -> None:
    found = {source.name: source.version for source in go_sources(stack, "")}
    assert found == {"shop": "1.0.0", "cart": "1.0.0", "hello": "2.0.0"}
    skipped = capsys.readouterr().out
    assert "site: skipped" in skipped
    assert "proxy: skipped" in skipped


def test_a_source_that_services_share_is_checked_once(stack: str) -> None:
    assert [folder.name for folder in go_folders(stack, "")] == ["mono", "hello"]


@pytest.mark.parametrize("service", ["site", "proxy"])
def test_a_named_service_without_a_go_source_is_an_error(stack: str, service: str) -> None:
    with pytest.raises(CommandError, match=f"SERVICE={service} has no Go source"):
        go_sources(stack, service)


def test_a_program_is_compiled_as_in_its_image(stack: str) -> None:
    arguments = {source.name: source.build_arguments() for source in go_sources(stack, "")}
    assert arguments["shop"][-2:] == ("-s -w -X main.version=1.0.0", "./cmd/shop")
    assert arguments["cart"][-4:] == ("timetzdata,netgo", "-ldflags", "-s -w", "./cmd/cart")


def test_a_binary_has_the_name_of_its_service_version_and_platform(
    stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    class FakeGo:
        def __init__(self, folder: Path) -> None:
            assert folder.name == "hello"

        def stream(self, *arguments: str, GOOS: str, GOARCH: str) -> None:  # noqa: N803
            assert tuple(arguments[-2].removesuffix(".exe").split("_")[-2:]) == (GOOS, GOARCH)
            written.append(Path(arguments[-2]).name)

    monkeypatch.setattr(go_tasks, "Go", FakeGo)
    go_tasks.binaries(go_sources(stack, "hello"), tmp_path)
    assert len(written) == len(go_tasks.PLATFORMS)
    assert {"hello_2.0.0_linux_arm64", "hello_2.0.0_windows_amd64.exe"} <= set(written)


def test_a_source_that_cannot_be_built_is_an_error_with_its_key(stack: str, tmp_path: Path) -> None:
    (tmp_path / "mono/cmd/shop/main.go").unlink()
    (tmp_path / "mono/cmd/cart/main.go").unlink()
    (source,) = go_sources(stack, "shop")
    with pytest.raises(CommandError, match=r"slipway:services\.shop\.source is"):
        source.build_arguments()
