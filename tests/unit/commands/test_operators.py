"""Operators of the cluster that others have brought, and those that others use."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from commands.operators import definition_conflicts, removal_conflicts
from settings import Settings
from tests.unit.commands.fake_kubectl import Cluster
from tests.unit.stacks import settings

STORES = {"team": {"kubernetes": {"namespace": "databases"}}}
PROGRESSIVE = {
    "observability": {"mode": "bundled"},
    "release": {"strategy": "progressive"},
}
BRINGING: dict[str, dict[str, Any]] = {
    "certManager": {"routing": {"tls": {"mode": "selfSigned"}}},
    "externalSecrets": {"secretStores": STORES},
    "flagger": PROGRESSIVE,
}
"""Changes of the settings with which a stack brings each operator."""
OURS = {"app.kubernetes.io/part-of": "slipway"}


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def environment(cluster: Cluster) -> dict[str, str]:
    return {"PATH": f"{cluster.folder}{os.pathsep}{os.environ['PATH']}"}


def definition(name: str, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"kind": "CustomResourceDefinition", "metadata": metadata}


def conflicts(cluster: Cluster, found: list[dict[str, Any]], stack: Settings) -> list[str]:
    cluster.kubectl_prints("get customresourcedefinitions", json.dumps({"items": found}))
    return [*definition_conflicts(stack, environment(cluster), None)]


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("certManager", "certificates.cert-manager.io"),
        ("externalSecrets", "externalsecrets.external-secrets.io"),
        ("flagger", "canaries.flagger.app"),
    ],
)
@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ((OURS, {}), None),
        (({}, {}), "has no label app.kubernetes.io/part-of"),
        (
            (
                {"app.kubernetes.io/managed-by": "Helm"},
                {"meta.helm.sh/release-name": "platform"},
            ),
            "has the annotation meta.helm.sh/release-name: platform",
        ),
        (
            ({"app.kubernetes.io/instance": "infra"}, {}),
            "has the label app.kubernetes.io/instance: infra",
        ),
    ],
    ids=["of Slipway", "without labels", "of Helm", "of a manifest"],
)
def test_definitions_that_others_have_created_are_not_replaced(
    cluster: Cluster,
    section: str,
    name: str,
    metadata: tuple[dict[str, str], dict[str, str]],
    owner: str | None,
) -> None:
    found = [definition(name, *metadata)]
    messages = conflicts(cluster, found, settings(**BRINGING[section]))
    if owner is None:
        assert messages == []
    else:
        (message,) = messages
        assert message.startswith(f"slipway:{section}.enabled is true: ")
        assert f"{name} {owner}. Use false" in message
        assert f"kubectl label --overwrite crd {name} app.kubernetes.io/part-of=slipway" in message
    assert name in cluster.calls()[0]


@pytest.mark.parametrize("section", BRINGING)
def test_a_stack_that_uses_the_operator_of_the_cluster_looks_at_no_definition(
    cluster: Cluster, section: str
) -> None:
    using = settings(**BRINGING[section], **{section: {"enabled": False}})
    assert conflicts(cluster, [definition("canaries.flagger.app", {}, {})], using) == []
    assert not (cluster.folder / "calls").exists()


def test_without_a_connection_to_the_cluster_no_definition_is_a_conflict(cluster: Cluster) -> None:
    cluster.kubectl_prints("get customresourcedefinitions", "", "connection refused", 1)
    stack = settings(**BRINGING["certManager"])
    assert [*definition_conflicts(stack, environment(cluster), None)] == []


def deployment(namespace: str, *arguments: str) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"args": [*arguments]}]}}}
    return {"metadata": {"namespace": namespace}, "spec": spec}


def removed(
    cluster: Cluster,
    component: str,
    stack: Settings | None,
    used_in: list[str],
    deployments: list[dict[str, Any]],
) -> list[str]:
    objects = [{"metadata": {"namespace": name}} for name in used_in]
    for kind in ("certificates.cert-manager.io", "externalsecrets.external-secrets.io"):
        cluster.kubectl_prints(f"get {kind}", json.dumps({"items": objects}))
    cluster.kubectl_prints("get deployments", json.dumps({"items": deployments}))
    own = ["beacon-test", "cert-manager"]
    return [*removal_conflicts([component], stack, own, environment(cluster), None)]


CLUSTER_WIDE = settings(secretStores=STORES, externalSecrets={"scope": "cluster"})
NAMESPACED = settings(secretStores=STORES)
CERTIFIED = settings(**BRINGING["certManager"])


@pytest.mark.parametrize(
    ("component", "stack", "is_kept"),
    [
        ("CertManager", None, False),
        ("CertManager", settings(), False),
        ("CertManager", settings(**BRINGING["certManager"], certManager={"enabled": False}), False),
        ("CertManager", CERTIFIED, True),
        ("ExternalSecrets", None, False),
        ("ExternalSecrets", settings(), False),
        ("ExternalSecrets", NAMESPACED, False),
        ("ExternalSecrets", CLUSTER_WIDE, True),
    ],
)
def test_an_operator_that_other_stacks_use_is_not_deleted(
    cluster: Cluster, component: str, stack: Settings | None, *, is_kept: bool
) -> None:
    messages = removed(cluster, component, stack, ["beacon-test", "orders", "shop"], [])
    if is_kept:
        assert messages == []
    else:
        (message,) = messages
        assert "of this stack serves orders, shop: " in message
        assert "enabled true" in message


@pytest.mark.parametrize(
    ("deployments", "served"),
    [
        ([deployment("beacon-test")], "orders, shop"),
        ([deployment("orders", "--namespace=orders")], "shop"),
        ([deployment("orders", "--namespace=orders"), deployment("shop", "--namespace=shop")], ""),
        ([deployment("platform", "--concurrent=1")], ""),
    ],
    ids=["own", "of one namespace", "of each namespace", "of the cluster"],
)
def test_a_namespace_that_another_operator_serves_does_not_need_that_of_the_stack(
    cluster: Cluster, deployments: list[dict[str, Any]], served: str
) -> None:
    messages = removed(cluster, "ExternalSecrets", None, ["orders", "shop"], deployments)
    assert [one.partition(" serves ")[2].partition(":")[0] for one in messages] == (
        [served] if served else []
    )


def test_an_operator_that_only_the_stack_uses_is_deleted(cluster: Cluster) -> None:
    assert removed(cluster, "CertManager", None, ["beacon-test"], []) == []
