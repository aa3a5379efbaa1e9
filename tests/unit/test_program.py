"""The whole program on a stack: what there is, in which order, and how bad settings end it."""

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
from tests.unit.harness import Registry, run
from tests.unit.stacks import CANARY, DIGEST, SMALLEST, changed

PROJECT = Path(__file__).resolve().parents[2]
VERSION = (PROJECT / "app" / "VERSION").read_text().strip()
UNPINNED = {"release": {"stable": {"version": VERSION}}}

Program = Callable[..., Registry]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """``__main__.py``, run on the smallest stack with changes."""
    monkeypatch.chdir(PROJECT)

    def run_it(**changes: Any) -> Registry:
        sections = changed(changed(SMALLEST, UNPINNED), changes)
        set_all_config(*engine_config(sections))

        def main() -> None:
            runpy.run_path("__main__.py", run_name="__main__")

        return run(main)

    yield run_it
    set_all_config({}, [])


def test_one_version_is_built_and_runs_behind_the_proxy(program: Program) -> None:
    registry = program()
    assert registry.one("Image")["tags"] == [f"localhost:5000/slipway/beacon:{VERSION}"]
    assert registry.named("Deployment") == {"beacon-stable"}
    assert registry.named("Ingress") == {"beacon"}


def test_a_canary_is_built_while_stable_stays_what_was_published(program: Program) -> None:
    canary = changed(CANARY, {"canary": {"version": VERSION}, "stable": {"version": "0.9.0"}})
    registry = program(release=canary)
    assert registry.one("Image")["tags"] == [f"localhost:5000/slipway/beacon:{VERSION}"]
    (container,) = registry.one("Deployment", "beacon-stable")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"].endswith(f":0.9.0@{DIGEST}")


def test_the_gateway_serves_the_same_service(program: Program) -> None:
    registry = program(routing={"backend": "gateway"})
    assert registry.of_kind("Ingress") == []
    assert registry.named("HTTPRoute") == {"beacon"}


@pytest.mark.parametrize(
    ("backend", "kind", "name"),
    [("ingress", "Ingress", "beacon-canary"), ("gateway", "HTTPRoute", "beacon")],
)
def test_requests_move_only_after_every_version_is_up(
    program: Program, backend: str, kind: str, name: str
) -> None:
    pinned = changed(CANARY, {"canary": {"digest": DIGEST}})
    registry = program(release=pinned, routing={"backend": backend})
    needed = registry.dependencies_of(registry.urn_of(kind, name))
    for track in ("stable", "canary"):
        assert registry.urn_of("Deployment", f"beacon-{track}") in needed
        assert registry.urn_of("Service", f"beacon-{track}") in needed


def test_what_watches_the_service_never_delays_its_first_request(program: Program) -> None:
    registry = program(observability={"mode": "bundled"})
    for kind, name in (("StatefulSet", "loki"), ("DaemonSet", "node-exporter")):
        needed = registry.dependencies_of(registry.urn_of(kind, name))
        assert registry.urn_of("Ingress", "beacon") in needed
    served = registry.dependencies_of(registry.urn_of("Ingress", "beacon"))
    assert registry.urn_of("Namespace", "monitoring") not in served


def test_the_service_traces_where_something_receives_it(program: Program) -> None:
    def config(mode: str) -> str:
        registry = program(observability={"mode": mode})
        return registry.one("ConfigMap", "beacon-stable")["data"]["config.yaml"]

    assert "endpoint: http://collector.monitoring.svc:4318" in config("bundled")
    assert "endpoint: ''" in config("off")


def test_nothing_is_put_into_a_namespace_that_is_not_ready(program: Program) -> None:
    registry = program()
    for kind, name in (("Deployment", "beacon-stable"), ("Secret", "beacon-token")):
        needed = registry.dependencies_of(registry.urn_of(kind, name))
        assert registry.urn_of("Namespace", "beacon-test") in needed
        assert registry.urn_of("ResourceQuota", "quota") in needed


def test_the_cluster_is_the_settings_context_and_objects_are_applied_by_the_server(
    program: Program,
) -> None:
    provider = program(cluster={"context": "prod"}).of_kind("kubernetes")[0].inputs
    assert provider["context"] == "prod"
    assert provider["enableServerSideApply"] == "true"
    assert provider["enableConfigMapMutable"] == "true"


def test_bad_settings_end_the_program_before_anything_is_registered(program: Program) -> None:
    registered: list[Registry] = []
    with pytest.raises(pulumi.RunError) as stopped:
        registered.append(program(autoscaling={"minReplicas": 50}))
    assert registered == []
    text = str(stopped.value)
    assert text.count("slipway:autoscaling.minReplicas") == 1
    assert "50" in text
    assert stopped.value.__cause__ is None


def test_every_component_registers_its_outputs_once(program: Program) -> None:
    registry = program(observability={"mode": "bundled"})
    components = [urn for urn, one in registry.resources.items() if one.type.startswith("slipway:")]
    assert sorted(registry.registered_outputs) == sorted(components)


def test_every_section_of_the_settings_is_declared_to_the_cli() -> None:
    config = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    # A project made of this one by `pulumi new` is told where it comes from.
    declared = {name: one for name, one in config.items() if name != "pulumi:tags"}
    expected = {
        field.alias: {
            "type": "object",
            "description": ((field.annotation and field.annotation.__doc__) or "").split("\n")[0],
            # What a section must hold, the settings say themselves, and by key.
            "default": {},
        }
        for field in Settings.model_fields.values()
    }
    assert declared == expected
