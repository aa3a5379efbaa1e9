"""What outside checkers say of every rendering."""

import json
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.versions import GATEWAY_API, KUBERNETES
from local.recipes import PLATFORM
from tests.manifests.conftest import PROJECT, Run, run
from tests.manifests.openapi import LOCATION

pytestmark = pytest.mark.timeout(900)

EXEMPTIONS = yaml.safe_load((Path(__file__).parent / "exemptions.yaml").read_text())
CRITICAL = 1
"""kube-score's grade."""


def kubeconform(checkers: Path, schemas: Path, *files: Path) -> dict[str, Any]:
    result = run(
        *(checkers / "kubeconform", "-strict", "-summary", "-output", "json"),
        *("-schema-location", f"{schemas}/{LOCATION}", *files),
    )
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


def test_the_versions_that_are_checked_are_those_that_are_written_for() -> None:
    assert PLATFORM.version_of("k8s.io/kubernetes").startswith(f"v{KUBERNETES}.")
    assert PLATFORM.version_of("sigs.k8s.io/gateway-api") == f"v{GATEWAY_API}"


def manifests(rendered: Path, kind: str) -> list[Path]:
    return sorted(file for file in rendered.glob("*.yaml") if f"-{kind}-" in file.name)


def workloads(rendered: Path, pod_security: str = "restricted") -> list[Path]:
    """Everything that has pods, in the namespaces that enforce this standard."""
    labels = {
        document["metadata"]["name"]: document["metadata"]["labels"]
        for document in map(_document, manifests(rendered, "namespace"))
    }
    return [
        file
        for kind in ("deployment", "statefulset", "daemonset")
        for file in manifests(rendered, kind)
        if labels[_document(file)["metadata"]["namespace"]]["pod-security.kubernetes.io/enforce"]
        == pod_security
    ]


def _document(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text())


def test_every_object_is_valid_for_the_api_server(
    checkers: Path, schemas: Path, rendered: Path
) -> None:
    files = sorted(rendered.glob("*.yaml"))
    report = kubeconform(checkers, schemas, *files)
    assert report["resources"] == []
    assert report["summary"]["valid"] == len(files)


@pytest.mark.parametrize(
    ("good", "bad"),
    [("replicas: 1", "replicas: one"), ("replicas: 1", "replica: 1"), ("v1", "v9")],
)
def test_the_schemas_refuse_what_the_api_server_would(
    checkers: Path, schemas: Path, tmp_path: Path, good: str, bad: str
) -> None:
    file = tmp_path / "deployment.yaml"
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 1\n"
        "  selector: {}\n  template: {}\n"
    )
    file.write_text(text)
    assert kubeconform(checkers, schemas, file)["summary"]["valid"] == 1
    file.write_text(text.replace(good, bad))
    assert kubeconform(checkers, schemas, file)["summary"]["valid"] == 0


def test_no_pod_violates_pod_security_restricted(podsecurity: Path, rendered: Path) -> None:
    result = run(podsecurity, f"v{KUBERNETES}", *workloads(rendered))
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ("readOnlyRootFilesystem: true", "privileged: true"),
        ("type: RuntimeDefault", "type: Unconfined"),
    ],
)
def test_a_pod_that_violates_it_is_found(
    podsecurity: Path, rendered: Path, tmp_path: Path, good: str, bad: str
) -> None:
    file = tmp_path / "deployment.yaml"
    file.write_text(manifests(rendered, "deployment")[0].read_text().replace(good, bad))
    result = run(podsecurity, f"v{KUBERNETES}", file)
    assert result.returncode == 1
    assert bad.partition(":")[0] in result.stdout or "seccompProfile" in result.stdout


def test_only_what_needs_the_node_is_where_pods_may_do_more(rendered: Path) -> None:
    names = {_document(file)["metadata"]["name"] for file in workloads(rendered, "privileged")}
    assert names <= {"collector-agent", "node-exporter"}


def findings(checkers: Path, rendered: Path) -> Iterator[tuple[str, str]]:
    """Check and object of everything that kube-score calls critical."""
    result = run(
        *(checkers / "kube-score", "score", "--output-format", "json"),
        *("--kubernetes-version", f"v{KUBERNETES}", *sorted(rendered.glob("*.yaml"))),
    )
    scored = json.loads(result.stdout)
    assert scored, result.stderr
    for scored_object in scored:
        name = scored_object["object_meta"]["name"]
        for check in scored_object["checks"]:
            if check["grade"] == CRITICAL and not check["skipped"]:
                yield check["check"]["id"], f"{scored_object['type_meta']['kind']}/{name}"


def test_kube_score_finds_nothing_critical_that_is_not_argued(
    checkers: Path, rendered: Path
) -> None:
    unargued = [
        (check, found)
        for check, found in findings(checkers, rendered)
        if not any(
            exempt["check"] == check and fnmatch(found, exempt["object"]) for exempt in EXEMPTIONS
        )
    ]
    assert unargued == []


def test_every_exemption_says_why() -> None:
    assert all(len(exemption["why"]) > 40 for exemption in EXEMPTIONS)


def test_the_service_accepts_its_configuration(go: Run, rendered: Path, tmp_path: Path) -> None:
    for config_map in sorted(rendered.glob("20-configmap-*.yaml")):
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_load(config_map.read_text())["data"]["config.yaml"])
        result = go("run", ".", "--check-config", file, cwd=PROJECT / "app")
        assert result.returncode == 0, result.stdout + result.stderr
