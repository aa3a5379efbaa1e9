"""A region is added by one stack file, which `make new-env` writes from that of another region."""

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from tests.cluster.project import Project

pytestmark = pytest.mark.timeout(600)

HOST = "shop.example.com"
"""Host of all regions."""
ROUTES = {"60-ingress-beacon.yaml", "60-ingress-beacon-weighted.yaml"}
MANIFESTS = "environments"
"""Folder of the manifests that Argo CD syncs."""


def configured(name: str) -> dict[str, Any]:
    """The file of a region, without the stack that it extends."""
    records = {"setIdentifier": name, "weight": 50}
    routing = {"hosts": [HOST, f"{name}.{HOST}"], "dns": {"route53": records}}
    return {
        "slipway:cluster": {"context": name},
        "slipway:services": {"beacon": {"routing": routing}},
    }


class Regions:
    """The stack `prod` and its regions, each with a context of its own for the node."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._id = f"test-{secrets.token_hex(3)}"
        kubeconfig = folder / "kubeconfig"
        config = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text())
        context = config["contexts"][0]["context"]
        config["contexts"] = [{"name": name, "context": context} for name in ("east1", "north1")]
        kubeconfig.write_text(yaml.safe_dump(config))
        self._environment = {**environment, "KUBECONFIG": str(kubeconfig)}
        self.prod = Project.copy(folder / "project", self._id, self._environment)
        self.prod.file.write_text((self.prod.folder / "Pulumi.prod.yaml").read_text())
        with self.prod.config() as config:
            config["slipway:namespace"]["name"] = self._id
            config["slipway:registry"]["host"] = "localhost:5000"
            # One stack brings cert-manager to the node.
            del config["slipway:defaults"]["image"], config["slipway:defaults"]["routing"]["tls"]
            config["slipway:network"] = {"monitoringNamespace": f"{self._id}-monitoring"}
            config["slipway:observability"] |= {
                "nodeNamespace": f"monitoring-node-{self._id}",
                "grafana": {"enabled": False},
            }
        with self.prod.service() as service:
            service["image"] = {"repository": f"slipway/{self._id}"}
            # Manifests have no generated values.
            del service["secrets"], service["config"]["faults"]

    def region(self, name: str) -> Project:
        """The stack of a region, whose file need not exist."""
        return Project(self.prod.folder, f"{self._id}-{name}", self._environment)

    def declare(self, name: str, own: Mapping[str, Any]) -> Project:
        """Write the file of a region, and commit the project."""
        region = self.region(name)
        text = YAML()
        with region.file.open("w") as out:
            text.dump({"config": {"slipway:extends": self._id, **own}}, out)
        author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        for arguments in (
            ("init", "--quiet"),
            ("add", "--all"),
            (*author, "commit", "--quiet", "--message", "Add a region"),
        ):
            assert self.prod.run("git", *arguments).returncode == 0
        return region

    def added_files(self) -> list[str]:
        """Changed and new files, as `git status` lists them."""
        status = self.prod.run("git", "status", "--porcelain")
        assert status.returncode == 0, status.stderr
        return status.stdout.splitlines()


@pytest.fixture
def regions(cluster_environment: Mapping[str, str], tmp_path: Path) -> Iterator[Regions]:
    regions = Regions(tmp_path, cluster_environment)
    yield regions
    regions.region("north1").remove_stack()


def differing(one: Path, other: Path) -> set[str]:
    """Names of the files that differ between two folders. Namespaces have the name of the stack."""
    texts = [{file.name: file.read_text() for file in folder.iterdir()} for folder in (one, other)]
    assert len(texts[0]) > 10
    names = {name for name, _ in texts[0].items() ^ texts[1].items()}
    return {name for name in names if not name.startswith("00-namespace-")}


def test_a_region_is_added_by_one_file(regions: Regions) -> None:
    east = regions.declare("east1", configured("east1"))
    north = regions.region("north1")
    printed = north.make("new-env", f"NAME={north.stack}", f"FROM={east.stack}").stdout
    assert f"check them\n    slipway:services.beacon.routing.hosts: {HOST}" in printed
    own = yaml.safe_load(north.file.read_text())["config"]
    assert own == {"slipway:extends": regions.prod.stack, **configured("north1")}

    for region in (east, north):
        region.make("render")
    out = north.folder / "out"
    assert differing(out / east.stack, out / north.stack) == ROUTES
    assert "a new stack" in north.make("diff").stdout
    checked = north.run(".venv/bin/python", "-m", "commands.policy", f"--stack={north.stack}")
    assert "no violations" in checked.stdout, checked.stdout + checked.stderr
    assert "to create" in north.make("preview").stdout
    assert regions.added_files() == [f"?? {north.file.name}"]


def test_a_region_that_argo_cd_syncs_is_added_by_one_file(regions: Regions) -> None:
    def delivery(name: str) -> dict[str, Any]:
        path = f"{MANIFESTS}/{name}"
        argocd = {"cluster": name}
        return {"slipway:delivery": {"mode": "gitops", "path": path, "argocd": argocd}}

    with regions.prod.config() as config:
        config["slipway:delivery"] = {"repository": "https://git.example.com/shop.git"}
    regions.prod.make("publish")
    east = regions.declare("east1", {**configured("east1"), **delivery("east1")})
    north = regions.region("north1")
    north.make("new-env", f"NAME={north.stack}", f"FROM={east.stack}")
    own = yaml.safe_load(north.file.read_text())["config"]
    assert own["slipway:delivery"] == delivery("north1")["slipway:delivery"]

    for region in (east, north):
        region.make("gitops")
    written = north.folder / MANIFESTS
    manifests = [written / name / "manifests" for name in ("east1", "north1")]
    # No canary runs, so GitOps has no Ingress with its weight.
    assert differing(*manifests) == {name for name in ROUTES if "weighted" not in name}
    (application,) = yaml.safe_load_all((written / "north1/sync.yaml").read_text())
    assert application["metadata"]["name"] == f"slipway-{north.stack}"
    assert application["spec"]["source"]["path"] == f"{MANIFESTS}/north1/manifests"
    assert application["spec"]["destination"]["name"] == "north1"
    checked = north.run(".venv/bin/python", "-m", "commands.policy", f"--stack={north.stack}")
    assert "no violations" in checked.stdout, checked.stdout + checked.stderr
    stacks = json.loads(north.make("stacks", "DELIVERY=gitops").stdout.removeprefix("names="))
    assert stacks == [east.stack, north.stack]
