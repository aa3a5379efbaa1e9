"""The stand-in for a Deployment, and its end, with a fake kubectl."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from commands.dev.deployment import LABEL, DevDeployment, dev_deployment
from commands.dev.image import DeployedImage

RELOADER = "registry/shop:dev-1@sha256:0"
IMAGE = DeployedImage("arm64", ["/shop"], ["--verbose"])
DECLARED: dict[str, Any] = {
    "metadata": {"name": "shop-stable", "labels": {"app": "shop"}, "uid": "1"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "containers": [
                    {"name": "sidecar", "image": "proxy"},
                    {
                        "name": "shop",
                        "image": "registry/shop:1.0.0@sha256:1",
                        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}},
                    },
                ]
            },
        },
    },
}
KUBECTL = f"""\
#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] in json.loads((here / "failing").read_text()):
    sys.exit("no connection")
if sys.argv[1] == "get":
    print((here / "declared").read_text())
"""


@pytest.fixture
def deployment(tmp_path: Path) -> DevDeployment:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    managers = [{"manager": "pulumi"}, {"manager": "slipway-dev"}]
    declared = {**DECLARED, "metadata": {**DECLARED["metadata"], "managedFields": managers}}
    (tmp_path / "declared").write_text(json.dumps(declared))
    (tmp_path / "failing").write_text("[]")
    return DevDeployment("shop-stable", [str(kubectl)], os.environ, tmp_path / "record.json")


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def test_the_stand_in_has_the_pod_of_the_declared_one_and_runs_its_command_in_the_reloader() -> (
    None
):
    stand_in = dev_deployment(DECLARED, "shop", IMAGE, RELOADER)
    pod = stand_in["spec"]["template"]["spec"]
    main = pod["containers"][1]
    assert main["command"][1:] == ["run", "/slipway-dev/program", "/shop", "--verbose"]
    assert main["image"] == "registry/shop:1.0.0@sha256:1"
    assert pod["containers"][0] == {"name": "sidecar", "image": "proxy"}
    assert pod["initContainers"][-1]["image"] == RELOADER
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert DECLARED["spec"]["template"]["spec"]["containers"][1].get("command") is None


def test_the_services_select_the_pods_of_the_stand_in_and_the_declared_one_does_not_own_them() -> (
    None
):
    spec = dev_deployment(DECLARED, "shop", IMAGE, RELOADER)["spec"]
    assert (
        DECLARED["spec"]["selector"]["matchLabels"].items()
        <= spec["template"]["metadata"]["labels"].items()
    )
    assert spec["selector"]["matchLabels"] == {"app": "shop", **LABEL}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ["/shop", "--verbose"]),
        ({"args": ["--quiet"]}, ["/shop", "--quiet"]),
        ({"command": ["/other"]}, ["/other"]),
        ({"command": ["/other"], "args": ["--quiet"]}, ["/other", "--quiet"]),
    ],
)
def test_command_and_args_override_those_of_the_image(
    container: dict[str, Any], expected: list[str]
) -> None:
    assert IMAGE.command(container) == expected


def test_the_declared_deployment_gets_its_replicas_and_field_managers_back(
    deployment: DevDeployment, tmp_path: Path
) -> None:
    deployment.start("shop", IMAGE, RELOADER)
    assert any(
        "--subresource=scale" in call and '{"spec": {"replicas": 0}}' in call[-2]
        for call in calls(tmp_path)
    )
    (tmp_path / "calls").unlink()
    deployment.end()
    scale, wait, _, release, delete = calls(tmp_path)
    assert '--patch={"spec": {"replicas": 3}}' in scale
    assert wait[:2] == ["wait", "deployment/shop-stable"]
    assert '"value": [{"manager": "pulumi"}]' in release[-1]
    assert delete[:3] == ["delete", "deployment", "shop-stable-dev"]
    deployment.end()
    assert len(calls(tmp_path)) == 5  # nothing is left to restore


def test_an_end_without_a_connection_is_made_up_for_later(
    deployment: DevDeployment, tmp_path: Path
) -> None:
    deployment.start("shop", IMAGE, RELOADER)
    (tmp_path / "failing").write_text('["patch"]')
    with pytest.raises(Exception, match="no connection"):
        deployment.end()
    (tmp_path / "failing").write_text("[]")
    deployment.end()
    assert calls(tmp_path)[-1][:3] == ["delete", "deployment", "shop-stable-dev"]
