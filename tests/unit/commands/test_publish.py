"""Images are published by a fake buildx, and pinned in the stack file."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import publish
from commands.errors import FAILED
from tests.unit.stacks import DIGEST, HELLO, OTHER_DIGEST, REPOSITORY, sections

BUILDX = f"""\
#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if (here / "broken").exists():
    sys.exit(1)
file = pathlib.Path(sys.argv[sys.argv.index("--metadata-file") + 1])
file.write_text(json.dumps({{"containerimage.digest": "{DIGEST}"}}))
"""
CANARY = {
    "strategy": "canary",
    "stable": {"version": "0.9.0", "digest": OTHER_DIGEST},
    "canary": {"version": "1.0.0", "weight": 10},
}


@pytest.fixture
def run(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Returns a function that publishes a stack; returns the exit code and the calls of buildx."""
    program = tmp_path / "buildx"
    program.write_text(BUILDX)
    program.chmod(0o755)
    monkeypatch.setattr(publish, "with_builder", lambda: {"PATH": str(tmp_path)})
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setattr("commands.stack_file.path_of", lambda _: tmp_path / "Pulumi.test.yaml")
    monkeypatch.setattr(
        publish, "load", lambda *_, **how: _load(str(tmp_path / "Pulumi.test.yaml"), **how)
    )

    def publish_stack(**changes: Any) -> tuple[int, list[list[str]]]:
        stack = sections(source=HELLO, **changes)
        text = yaml.safe_dump({"config": {f"slipway:{k}": v for k, v in stack.items()}})
        (tmp_path / "Pulumi.test.yaml").write_text(text)
        code = publish.main(["--stack=test", f"--out={tmp_path}/images.json"])
        calls = tmp_path / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return code, [json.loads(line) for line in lines]

    return publish_stack


_load = publish.load


def pinned(folder: Path) -> Any:
    services = yaml.safe_load((folder / "Pulumi.test.yaml").read_text())["config"]
    return services["slipway:services"]["beacon"]["release"]


def test_a_version_without_a_digest_is_pushed_and_pinned(run: Any, tmp_path: Path) -> None:
    code, (call,) = run(release=CANARY)
    assert code == 0
    assert {"--push", "--provenance=false"} & {*call} == {"--push"}
    assert call[call.index("--tag") + 1].endswith("/beacon:1.0.0")
    assert "VERSION=1.0.0" in call
    release = pinned(tmp_path)
    assert release["canary"]["digest"] == DIGEST
    assert release["stable"]["digest"] == OTHER_DIGEST
    image = {"name": f"localhost:5000/{REPOSITORY}", "digest": DIGEST}
    assert json.loads((tmp_path / "images.json").read_text()) == [
        {"stack": "test", "service": "beacon", **image}
    ]


def test_a_published_version_is_not_built_again(run: Any, tmp_path: Path, capsys: Any) -> None:
    release = {"stable": {"version": "0.9.0", "digest": DIGEST}}
    assert run(release=release) == (0, [])
    assert capsys.readouterr().out == "every version is published\n"
    assert json.loads((tmp_path / "images.json").read_text()) == []


def test_a_builder_without_a_cache_reads_and_writes_that_of_the_registry(run: Any) -> None:
    _, (call,) = run(builder={"cache": "registry"})
    cache = call[call.index("--cache-from") + 1]
    assert cache.endswith("/beacon:buildcache")
    assert call[call.index("--cache-to") + 1] == f"{cache},mode=max"


def test_a_version_that_does_not_build_is_not_pinned(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    code, _ = run()
    assert code == FAILED
    assert "digest" not in pinned(tmp_path)["stable"]
