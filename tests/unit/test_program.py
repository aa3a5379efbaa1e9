"""The whole program: its resources, their dependencies and invalid settings."""

import json
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config

from render import engine_config
from settings import Settings
from settings.schema import model_schema
from tests.unit.harness import Registry, run
from tests.unit.stacks import (
    BEACON,
    BLUE_GREEN,
    CANARY,
    DIGEST,
    HELLO,
    REPOSITORY,
    changed,
    sections,
)

PROJECT = Path(__file__).resolve().parents[2]
VERSION = "1.0.0"
UNPINNED = {"stable": {"version": VERSION}}

Program = Callable[..., Registry]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Runs ``__main__.py`` with the smallest stack settings and changes."""
    monkeypatch.chdir(PROJECT)

    def run_program(**changes: Any) -> Registry:
        release = changed(UNPINNED, changes.pop("release", {}))
        stack = sections(release=release, **{"source": HELLO, **changes})
        set_all_config(*engine_config(stack))

        def main() -> None:
            runpy.run_path("__main__.py", run_name="__main__")

        return run(main)

    yield run_program
    set_all_config({}, [])


def test_a_version_is_built_deployed_and_routed(program: Program) -> None:
    registry = program()
    assert registry.one("Image")["tags"] == [f"localhost:5000/{REPOSITORY}:{VERSION}"]
    assert registry.named("Deployment") == {"beacon-stable"}
    assert registry.named("Ingress") == {"beacon"}


def test_a_canary_is_built_and_stable_keeps_its_published_digest(program: Program) -> None:
    canary = changed(CANARY, {"canary": {"version": VERSION}, "stable": {"version": "0.9.0"}})
    registry = program(release=canary)
    assert registry.one("Image")["tags"] == [f"localhost:5000/{REPOSITORY}:{VERSION}"]
    (container,) = registry.one("Deployment", "beacon-stable")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"].endswith(f":0.9.0@{DIGEST}")


def test_the_gateway_back_end_creates_a_route_instead_of_an_ingress(program: Program) -> None:
    registry = program(routing={"backend": "gateway"})
    assert registry.of_kind("Ingress") == []
    assert registry.named("HTTPRoute") == {"beacon"}


@pytest.mark.parametrize(
    ("backend", "kind", "name"),
    [
        ("ingress", "Ingress", "beacon-weighted"),
        ("gateway", "HTTPRoute", "beacon"),
        ("istio", "VirtualService", "beacon"),
    ],
)
def test_routing_depends_on_the_workloads_of_all_tracks(
    program: Program, backend: str, kind: str, name: str
) -> None:
    pinned = changed(CANARY, {"canary": {"digest": DIGEST}})
    registry = program(release=pinned, routing={"backend": backend})
    dependencies = registry.dependencies_of(registry.urn_of(kind, name))
    for track in ("stable", "canary"):
        assert registry.urn_of("Deployment", f"beacon-{track}") in dependencies
        assert registry.urn_of("Service", f"beacon-{track}") in dependencies


@pytest.mark.parametrize(
    ("source", "is_measured"), [("proxy", True), ("service", False)], ids=["proxy", "service"]
)
def test_a_sidecar_counts_the_requests_if_the_objective_reads_its_metrics(
    program: Program, *, source: str, is_measured: bool
) -> None:
    registry = program(
        routing={"backend": "istio"},
        mesh={"istio": {}},
        slo={"source": source},
        observability={"mode": "bundled", "proxy": {"implementation": "istio-sidecar"}},
    )
    template = registry.one("Deployment", "beacon-stable")["spec"]["template"]
    config = json.loads(template["metadata"]["annotations"].get("proxy.istio.io/config", "{}"))
    assert bool(config) == is_measured
    for pattern in config.get("proxyStatsMatcher", {}).get("inclusionRegexps", ()):
        for statistic in ("upstream_rq_200", "upstream_rq_time"):
            assert re.fullmatch(pattern, f"cluster.inbound|8080||;.{statistic}")
        assert not re.fullmatch(pattern, "cluster.outbound|8080||other.svc;.upstream_rq_200")


@pytest.mark.parametrize("backend", ["ingress", "gateway", "istio"])
def test_the_preview_host_is_routed_to_the_idle_color(program: Program, backend: str) -> None:
    live = {"live": "green", "previewHost": "next.localhost"}
    release = changed(BLUE_GREEN, {"blueGreen": live, "idle": {"digest": DIGEST}})
    registry = program(release=release, routing={"backend": backend})
    if backend == "ingress":
        (rule,) = registry.one("Ingress", "beacon-preview")["spec"]["rules"]
        hosts = [rule["host"]]
        services = [path["backend"]["service"]["name"] for path in rule["http"]["paths"]]
    elif backend == "istio":
        spec = registry.one("VirtualService", "beacon-preview")["spec"]
        hosts, (rule,) = spec["hosts"], spec["http"]
        services = [one["destination"]["host"] for one in rule["route"]]
    else:
        spec = registry.one("HTTPRoute", "beacon-preview")["spec"]
        hosts, (rule,) = spec["hostnames"], spec["rules"]
        services = [reference["name"] for reference in rule["backendRefs"]]
    assert (hosts, services) == (["next.localhost"], ["beacon-blue"])


def test_external_secrets_are_read_before_the_pods_change(program: Program) -> None:
    registry = program(
        secretStores={"team": {"kubernetes": {"namespace": "databases"}}},
        secrets={"password": {"external": {"store": "team", "key": "database"}}},
    )
    pods = registry.dependencies_of(registry.urn_of("Deployment", "beacon-stable"))
    assert registry.urn_of("ExternalSecret", "beacon-password") in pods
    secret = registry.dependencies_of(registry.urn_of("ExternalSecret", "beacon-password"))
    assert registry.urn_of("SecretStore", "team") in secret


def test_services_and_observability_do_not_wait_for_each_other(program: Program) -> None:
    registry = program(observability={"mode": "bundled"})
    server = registry.dependencies_of(registry.urn_of("StatefulSet", "loki"))
    assert registry.urn_of("Namespace", "beacon-test") not in server
    routing = registry.dependencies_of(registry.urn_of("Ingress", "beacon"))
    assert registry.urn_of("Namespace", "monitoring") not in routing


def test_tracing_is_enabled_with_a_trace_receiver(program: Program) -> None:
    def exporter(mode: str) -> str:
        deployment = program(observability={"mode": mode}).one("Deployment", "beacon-stable")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        env = {one["name"]: one.get("value") for one in container["env"]}
        return env["OTEL_TRACES_EXPORTER"]

    assert exporter("bundled") == "otlp"
    assert exporter("off") == "none"


def test_objects_depend_on_the_namespace_and_its_quota(program: Program) -> None:
    registry = program(secrets={"token": {"generate": {}}})
    for kind, name in (("Deployment", "beacon-stable"), ("Secret", "beacon-token")):
        dependencies = registry.dependencies_of(registry.urn_of(kind, name))
        assert registry.urn_of("Namespace", "beacon-test") in dependencies
        assert registry.urn_of("ResourceQuota", "quota") in dependencies


def test_the_provider_uses_the_context_of_the_settings_and_server_side_apply(
    program: Program,
) -> None:
    provider = program(cluster={"context": "prod"}).of_kind("kubernetes")[0].inputs
    assert provider["context"] == "prod"
    assert provider["enableServerSideApply"] == "true"
    assert provider["enableConfigMapMutable"] == "true"


@pytest.mark.parametrize("mode", ["bundled", "operator"])
def test_every_object_has_the_provider_of_the_stacks_cluster(program: Program, mode: str) -> None:
    """Without a default provider, Pulumi refuses an object that has none."""
    config = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    assert config["pulumi:disable-default-providers"] == {"value": ["kubernetes"]}
    registry = program(
        release={"strategy": "progressive"},
        slo={"availability": 99.9},
        secretStores={"team": {"kubernetes": {"namespace": "databases"}}},
        routing={"tls": {"mode": "selfSigned"}},
        secrets={"token": {"generate": {"length": 32}}},
        observability={"mode": mode},
    )
    of_cluster = [one for one in registry.resources.values() if one.type.startswith("kubernetes:")]
    assert len(of_cluster) > 30
    assert [one.name for one in of_cluster if "::cluster::" not in one.provider] == []


def test_invalid_settings_stop_the_program_before_it_registers_a_resource(program: Program) -> None:
    registered: list[Registry] = []
    with pytest.raises(pulumi.RunError) as stopped:
        registered.append(program(autoscaling={"minReplicas": 50}))
    assert registered == []
    text = str(stopped.value)
    assert text.count("slipway:services.beacon.autoscaling.minReplicas") == 1
    assert "50" in text
    assert stopped.value.__cause__ is None


def test_every_component_registers_its_outputs_once(program: Program) -> None:
    registry = program(observability={"mode": "bundled"})
    components = [urn for urn, one in registry.resources.items() if one.type.startswith("slipway:")]
    assert sorted(registry.registered_outputs) == sorted(components)


def objects_of(registry: Registry, service: str) -> dict[str, Any]:
    """Return the inputs of a service's resources and the URNs of their dependencies."""
    selector = f"app.kubernetes.io/name={service}"
    return {
        urn: (one.inputs, one.parent, one.depends_on)
        for urn, one in registry.resources.items()
        if selector
        in {
            f"{key}={value}"
            for key, value in one.inputs.get("metadata", {}).get("labels", {}).items()
        }
        or urn.rpartition("::")[2] in (service, f"{service}-stable", f"{service}-stable-image")
    }


OTHER = changed(
    BEACON, {"source": HELLO, "routing": {"hosts": ["other.localhost"]}, "release": UNPINNED}
)


@pytest.mark.parametrize("backend", ["ingress", "gateway", "istio"])
def test_another_service_changes_no_object_of_a_service(program: Program, backend: str) -> None:
    routing = {"routing": {"backend": backend}}
    alone = objects_of(program(**routing), "beacon")
    services = {"beacon": {}, "another": changed(OTHER, routing)}
    both = program(**routing, services=services)
    assert len(alone) > 10
    assert objects_of(both, "beacon") == alone
    assert len(objects_of(both, "another")) == len(alone)


TWO_PORTS = {
    "ports": {"http": 8080, "grpc": 9000},
    "routing": {
        "additionalPorts": {"grpc": {"hosts": ["grpc.localhost"], "protocol": "grpc"}},
    },
}


def test_an_additional_port_is_routed_by_an_ingress_of_its_own(program: Program) -> None:
    registry = program(release={"strategy": "canary"}, **TWO_PORTS)
    ports = {
        one.inputs["metadata"]["name"]: one.inputs["spec"]["rules"][0]["http"]["paths"][0][
            "backend"
        ]["service"]
        for one in registry.of_kind("Ingress")
    }
    assert ports == {
        "beacon": {"name": "beacon-stable", "port": {"number": 8080}},
        "beacon-weighted": {"name": "beacon-canary", "port": {"number": 8080}},
        "beacon-grpc": {"name": "beacon-stable", "port": {"number": 9000}},
        "beacon-grpc-weighted": {"name": "beacon-canary", "port": {"number": 9000}},
    }
    grpc = registry.one("Ingress", "beacon-grpc")
    assert grpc["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] == "GRPC"
    assert grpc["metadata"]["labels"]["app.kubernetes.io/name"] == "beacon"
    assert [rule["host"] for rule in grpc["spec"]["rules"]] == ["grpc.localhost"]
    grpc, http = registry.one("Service", "beacon-stable")["spec"]["ports"]
    assert (http.get("appProtocol"), grpc["appProtocol"]) == (None, "kubernetes.io/h2c")
    of_proxy, *_ = registry.one("NetworkPolicy", "beacon-stable")["spec"]["ingress"]
    assert [one["port"] for one in of_proxy["ports"]] == ["http", "grpc"]


def test_an_additional_port_is_routed_by_a_route_of_its_own(program: Program) -> None:
    registry = program(**changed(TWO_PORTS, {"routing": {"backend": "gateway"}}))
    http, grpc = registry.one("HTTPRoute"), registry.one("GRPCRoute")
    assert (http["metadata"]["name"], grpc["metadata"]["name"]) == ("beacon", "beacon-grpc")
    assert grpc["spec"]["hostnames"] == ["grpc.localhost"]
    assert grpc["spec"]["rules"][-1]["backendRefs"][0]["port"] == 9000


def test_a_canary_of_a_service_changes_no_object_of_another(program: Program) -> None:
    before = program(services={"other": OTHER})
    canary = changed(CANARY, {"canary": {"digest": DIGEST}})
    after = program(services={"other": OTHER}, release=canary)
    assert objects_of(after, "other") == objects_of(before, "other")
    assert objects_of(after, "beacon") != objects_of(before, "beacon")


def test_the_outputs_have_each_service(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    outputs: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", outputs.__setitem__)
    program(services={"other": OTHER})
    assert {name: one["url"] for name, one in outputs["services"].items()} == {
        "beacon": "http://beacon.localhost",
        "other": "http://other.localhost",
    }
    assert outputs["services"]["other"]["stable"]["version"] == VERSION


def test_pulumi_yaml_declares_all_sections() -> None:
    config = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    # Such as the tag with the template that `pulumi new` adds.
    declared = {name: one for name, one in config.items() if not name.startswith("pulumi:")}
    schema = model_schema(Settings)
    sections = {
        name: schema["$defs"].get(one.get("$ref", "").rpartition("/")[2], {}) | one
        for name, one in schema["properties"].items()
    }
    expected = {
        name: {
            "type": "object",
            "description": section["description"].split("\n")[0],
            # Required keys are validated by the settings.
            "default": {},
        }
        for name, section in sections.items()
    }
    assert declared == expected


@pytest.mark.parametrize("backend", ["ingress", "gateway", "istio"])
def test_a_replaced_route_is_deleted_before_the_workloads_and_the_namespace(
    program: Program, backend: str
) -> None:
    canary = changed(CANARY, {"canary": {"version": VERSION}, "stable": {"version": "0.9.0"}})
    registry = program(release=canary, routing={"backend": backend})
    kinds = ("Ingress", "HTTPRoute", "VirtualService")
    routes = [route for kind in kinds for route in registry.of_kind(kind)]
    # Pulumi deletes replaced objects in the order of their own dependencies, not their parents'.
    needed = {
        registry.urn_of("Deployment", "beacon-stable"),
        registry.urn_of("Deployment", "beacon-canary"),
        registry.urn_of("Namespace", "beacon-test"),
    }
    assert routes
    for route in routes:
        assert needed <= route.depends_on
