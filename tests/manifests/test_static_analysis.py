"""Findings of Pod Security and kube-score in the manifests."""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from components.versions import KUBERNETES
from tests.manifests.conftest import objects, run

pytestmark = pytest.mark.timeout(900)

KUBE_SCORE_CRITICAL = 1
ENFORCE = "pod-security.kubernetes.io/enforce"
EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yaml").read_text())

Finding = tuple[str, str]
"""Check and object."""


def without_exemptions(findings: Iterable[Finding]) -> list[Finding]:
    return [
        (check, obj)
        for check, obj in findings
        if not any(one["check"] == check and fnmatch(obj, one["object"]) for one in EXEMPTIONS)
    ]


def workloads(rendered: Path, pod_security: str) -> list[Path]:
    """Workloads of the namespaces that enforce this Pod Security Standard."""
    found = objects(rendered)
    namespaces = {
        obj["metadata"]["name"]
        for obj in found.values()
        if obj["kind"] == "Namespace" and obj["metadata"]["labels"][ENFORCE] == pod_security
    }
    return [
        file
        for file, obj in found.items()
        if obj["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")
        and obj["metadata"]["namespace"] in namespaces
    ]


def test_pods_comply_with_pod_security_restricted(podsecurity: Path, rendered: Path) -> None:
    files = workloads(rendered, "restricted")
    assert files
    result = run(podsecurity, f"v{KUBERNETES}", *files)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_only_the_agents_of_a_node_are_privileged(rendered: Path) -> None:
    names = {file.name for file in workloads(rendered, "privileged")}
    assert {name.partition("-daemonset-")[2] for name in names} <= {
        "collector-agent.yaml",
        "node-exporter.yaml",
    }


def kube_score(checkers: Path, rendered: Path) -> Iterator[Finding]:
    result = run(
        *(checkers / "kube-score", "score", "--output-format", "json"),
        *("--kubernetes-version", f"v{KUBERNETES}", *sorted(rendered.glob("*.yaml"))),
    )
    objects = json.loads(result.stdout)
    assert objects, result.stderr
    for obj in objects:
        for check in obj["checks"]:
            if check["grade"] == KUBE_SCORE_CRITICAL and not check["skipped"]:
                kind, name = obj["type_meta"]["kind"], obj["object_meta"]["name"]
                yield check["check"]["id"], f"{kind}/{name}"


def test_kube_score_finds_nothing_critical(checkers: Path, rendered: Path) -> None:
    assert without_exemptions(kube_score(checkers, rendered)) == []
