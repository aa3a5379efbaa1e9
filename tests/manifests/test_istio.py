"""Findings of ``istioctl analyze`` in the manifests of a stack in Istio's mesh."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from settings.yaml_writer import to_yaml
from tests.manifests.conftest import Variant, run
from tests.unit.stacks import needs_example

pytestmark = [needs_example, pytest.mark.timeout(900)]

GATEWAY: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "public", "namespace": "istio-ingress"},
    "spec": {
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*/*"]}],
    },
}
"""Gateway of the cluster's owner."""
PODS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "gateway",
        "namespace": "istio-ingress",
        "labels": GATEWAY["spec"]["selector"],
    },
    "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
}
NOT_LABELED = "IST0102"
"""The namespace has no label for injection: the pods have it."""


def analyze(istioctl: Path, folder: Path) -> list[str]:
    """Code and object of each message, without those about namespaces."""
    (folder / "gateway.yaml").write_text(to_yaml(GATEWAY))
    (folder / "pods.yaml").write_text(to_yaml(PODS))
    result = run(
        *(istioctl, "analyze", "--use-kube=false", "--all-namespaces", "--output=json"),
        *sorted(folder.glob("*.yaml")),
    )
    assert result.returncode in (0, 79), result.stderr
    return [
        f"{one['code']} {one['origin']}: {one['message']}"
        for one in json.loads(result.stdout)
        if one["code"] != NOT_LABELED
    ]


@pytest.mark.parametrize("name", ["prod-istio", "prod-istio-progressive"])
def test_istioctl_finds_nothing(
    istioctl: Path, variant: Variant, name: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(variant(name), tmp_path / "manifests")
    assert analyze(istioctl, folder) == []


def test_istioctl_finds_a_gateway_that_does_not_exist(
    istioctl: Path, variant: Variant, tmp_path: Path
) -> None:
    folder = shutil.copytree(variant("prod-istio"), tmp_path / "manifests")
    (route,) = folder.glob("*-virtualservice-*.yaml")
    route.write_text(route.read_text().replace("istio-ingress/public", "istio-ingress/private"))
    messages = analyze(istioctl, folder)
    assert [one for one in messages if "Referenced gateway not found" in one], messages
