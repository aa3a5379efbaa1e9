"""The image that an update with a plan has built."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands import built_image
from commands.built_image import builds_image, of_version
from commands.errors import CommandError
from tests.unit.stacks import needs_example

DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"localhost:5000/slipway/beacon:1.1.0@{DIGEST}"
URN = "urn:pulumi:prod::slipway::slipway:image:ContainerImage${}::beacon-stable-image"


def plan(kind: str, *steps: str) -> dict[str, Any]:
    return {"resourcePlans": {URN.format(kind): {"goal": {}, "steps": list(steps)}}}


@pytest.mark.parametrize(
    ("kind", "step", "built"),
    [
        ("docker-build:index:Image", "create", True),
        ("docker-build:index:Image", "update", True),
        ("docker-build:index:Image", "same", False),
        ("docker-build:index:Image", "delete", False),
        ("docker:index/image:Image", "update", True),
        ("kubernetes:apps/v1:Deployment", "update", False),
    ],
)
def test_a_plan_builds_an_image_if_it_has_a_step_for_it(kind: str, step: str, built: bool) -> None:
    assert builds_image(plan(kind, step), "beacon") == built


@pytest.mark.parametrize("track", ["stable", "canary"])
def test_the_image_is_of_the_track_that_runs_the_version(track: str) -> None:
    outputs = {
        "stable": {"version": "1.0.0", "image": f"other@sha256:{'b' * 64}"},
        track: {"version": "1.1.0", "image": IMAGE},
    }
    assert of_version(outputs, "1.1.0") == ("localhost:5000/slipway/beacon", DIGEST)


def test_a_version_that_is_not_deployed_is_an_error() -> None:
    with pytest.raises(CommandError, match=r"no track runs 1\.1\.0"):
        of_version({"stable": {"version": "1.0.0", "image": IMAGE}, "canary": None}, "1.1.0")


@needs_example
def test_all_images_that_a_plan_builds_are_an_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "plan.json", tmp_path / "out"
    file.write_text(json.dumps(plan("docker-build:index:Image", "update")))
    running = {"version": "1.0.0", "image": IMAGE.replace("1.1.0", "1.0.0")}
    outputs = {"services": {"beacon": {"stable": running}, "other": {"stable": running}}}
    monkeypatch.setattr(built_image.Stack, "outputs", lambda _: outputs)
    assert built_image.main(["--stack", "dev", "--plan", str(file), "--out", str(out)]) == 0
    image = {"name": "localhost:5000/slipway/beacon", "digest": DIGEST}
    assert json.loads(out.read_text().removeprefix("images=")) == [
        {"stack": "dev", "service": "beacon", **image}
    ]


def test_a_plan_without_a_build_has_no_outputs(tmp_path: Path, capsys) -> None:
    file, out = tmp_path / "plan.json", tmp_path / "out"
    file.write_text(json.dumps(plan("docker-build:index:Image", "same")))
    assert built_image.main(["--stack", "dev", "--plan", str(file), "--out", str(out)]) == 0
    assert "no image was built" in capsys.readouterr().out
    assert not out.exists()


def test_a_missing_plan_is_refused(tmp_path: Path, capsys) -> None:
    assert built_image.main(["--stack", "dev", "--plan", str(tmp_path / "no.json")]) == 2
    assert "no.json cannot be read" in capsys.readouterr().err
