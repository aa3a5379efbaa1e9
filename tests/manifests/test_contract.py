"""The stack file with every key of a service, for the other tests of manifests."""

from typing import Any

import yaml

from settings import Service
from settings.schema import child_node, model_schema, resolve, value_node
from tests.manifests.conftest import CONTRACT, Variant

KEYS = (
    *("command", "args", "env", "envFrom", "ports", "pprofPort", "probes", "config"),
    *("configFile", "secrets", "volumes", "initContainers", "sidecars", "serviceAccount"),
    *("securityContext", "routing", "peers", "tracing"),
)
"""Keys of a service that are used with all their inner keys."""
Keys = set[tuple[str, str]]
"""Sections and their keys."""


def section(title: str) -> str:
    """Name of a section; those with the same keys have one name."""
    return "Probe" if title.endswith("Probe") else title.replace("InitContainer", "Sidecar")


def walk(node: Any, values: list[Any], known: Keys, used: Keys) -> None:
    """Collect the keys of a node of the schema, and those that ``values`` have."""
    node = resolve(model_schema(Service), node)
    if items := node.get("items"):
        walk(items, [item for value in values for item in value], known, used)
    mappings = [value for value in values if isinstance(value, dict)]
    title = section(node.get("title", node.get("description", "")))
    for name in node.get("properties", {}):
        found = [value[name] for value in mappings if name in value]
        known.add((title, name))
        if found:
            used.add((title, name))
        walk(child_node(model_schema(Service), node, name), found, known, used)
    if "properties" not in node and (of_names := value_node(node)):
        walk(of_names, [one for value in mappings for one in value.values()], known, used)


def manifest(variant: Variant, name: str) -> Any:
    (file,) = variant("contract").glob(f"*-{name}.yaml")
    return yaml.safe_load(file.read_text())


def test_every_key_of_a_service_is_used() -> None:
    config = yaml.safe_load(CONTRACT.read_text())["config"]
    services = [config["slipway:defaults"], *config["slipway:services"].values()]
    known: Keys = set()
    used: Keys = set()
    for key in KEYS:
        values = [one[key] for one in services if key in one]
        assert values, key
        walk(model_schema(Service)["properties"][key], values, known, used)
    assert len(known) > 80
    assert known - used == set()


def test_a_worker_has_no_service_no_route_and_no_probes(variant: Variant) -> None:
    kinds = {file.name.split("-")[1] for file in variant("contract").glob("*-worker*.yaml")}
    assert not kinds & {"service", "ingress", "httproute", "grpcroute"}
    deployment = manifest(variant, "deployment-worker-stable")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert not [key for key in container if key.endswith("Probe")]


def test_a_version_of_a_rollback_has_no_job(variant: Variant) -> None:
    jobs = [file.name for file in variant("contract").glob("*-job-*.yaml")]
    assert jobs == ["30-job-shop-before-start-1-1-0.yaml"]
