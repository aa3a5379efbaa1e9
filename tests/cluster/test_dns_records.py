"""The records that a real external-dns writes to Route 53 for the routes of a stack."""

import copy
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.layout import Layout
from tests.cluster.progressive import add_prometheus, status
from tests.cluster.project import Project, wait_until
from tests.cluster.route53 import Record, Route53
from tests.cluster.server import build, free_port

pytestmark = pytest.mark.timeout(900)

TTL = 60
SERVICES = ("beacon", "edge", "flow")
"""A canary over Ingresses, one over an HTTPRoute, and a service whose HTTPRoute is Flagger's."""


class ExternalDns:
    """external-dns of a cluster with one namespace."""

    def __init__(self, project: Project, zone: Route53) -> None:
        build("external-dns")
        self._project = project
        self._zone = zone

    def run(self, owner: str) -> None:
        """Write the records once."""
        result = subprocess.run(
            [
                Layout().bin / "external-dns",
                *("--once", "--policy=sync", "--provider=aws"),
                *("--registry=txt", f"--txt-owner-id={owner}"),
                f"--kubeconfig={self._project.environment['KUBECONFIG']}",
                *("--source=ingress", "--source=gateway-httproute"),
                *(f"--namespace={self._project.stack}", "--gateway-namespace=gateway-system"),
                f"--metrics-address=127.0.0.1:{free_port('127.0.0.1')}",
            ],
            env={**self._project.environment, **self._zone.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr


def hosts(project: Project, service: str) -> list[str]:
    """The host of all clusters, and that of this one."""
    return [f"{service}.{project.stack}.example.com", f"{service}.east.{project.stack}.example.com"]


def routing(project: Project, service: str, weight: int) -> dict[str, Any]:
    """Routing of a service."""
    records = {"setIdentifier": "east-1", "weight": weight}
    return {
        "backend": "ingress" if service == "beacon" else "gateway",
        "hosts": hosts(project, service),
        "dns": {"ttlSeconds": TTL, "route53": records},
    }


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    """The services with their releases in progress."""
    with project.config() as config:
        add_prometheus(config, project.stack)
        beacon = config["slipway:services"]["beacon"]
        beacon["slo"] = {"availability": 99.9}
        beacon["autoscaling"] = {"minReplicas": 1, "maxReplicas": 2}
        for name in SERVICES:
            service = copy.deepcopy(beacon)
            service["image"] = {"repository": f"slipway/{project.stack}/{name}"}
            service["routing"] = routing(project, name, 50)
            service["release"]["strategy"] = "progressive" if name == "flow" else "canary"
            config["slipway:services"][name] = service
    project.make("publish")
    project.make("up")
    (project.folder / "app" / "VERSION").write_text("1.1.0\n")
    with project.config() as config:
        for name in SERVICES[:2]:
            release = config["slipway:services"][name]["release"]
            release["canary"] = {"version": "1.1.0", "weight": 10}
    project.make("up")
    wait_until("Flagger", lambda: status(project, "flow").phase == "Initialized", 120)


@pytest.fixture(scope="module")
def zone(project: Project) -> Iterator[Route53]:
    with Route53(f"{project.stack}.example.com") as zone:
        yield zone


def address(project: Project, *route: str) -> str:
    """Address of the proxy, in the status of an object."""
    found = json.loads(project.kubectl("get", *route, "--output", "json"))["status"]
    (one,) = found.get("addresses") or found["loadBalancer"]["ingress"]
    return one.get("value") or one["ip"]


def intended(project: Project, weight: int) -> set[Record]:
    """One record for each host of each service."""
    ingress = address(project, "ingress", "beacon")
    gateway = address(project, "gateway", "public", "--namespace=gateway-system")
    return {
        Record(name, "A", "east-1", weight, TTL, (ingress if service == "beacon" else gateway,))
        for service in SERVICES
        for name in hosts(project, service)
    }


def test_each_host_has_one_record_with_the_weight_of_the_cluster(
    project: Project, zone: Route53
) -> None:
    dns = ExternalDns(project, zone)
    dns.run("east-1")
    assert zone.records() == intended(project, 50)
    batches = zone.batches
    dns.run("east-1")
    assert zone.batches == batches, "the second run has changed records"


def test_a_cluster_is_taken_out_of_service_and_the_records_of_others_stay(
    project: Project, zone: Route53
) -> None:
    ExternalDns(project, zone).run("east-1")
    with project.config() as config:
        for service in config["slipway:services"].values():
            service["routing"]["dns"]["route53"] |= {"setIdentifier": "north-1", "weight": 20}
    project.make("up")
    ExternalDns(project, zone).run("north-1")
    north = {replace(one, set_identifier="north-1", weight=20) for one in intended(project, 50)}
    assert zone.records() == intended(project, 50) | north

    with project.config() as config:
        for service in config["slipway:services"].values():
            service["routing"]["dns"]["route53"]["weight"] = 0
    project.make("up")
    ExternalDns(project, zone).run("north-1")
    north = {replace(one, weight=0) for one in north}
    assert zone.records() == intended(project, 50) | north
