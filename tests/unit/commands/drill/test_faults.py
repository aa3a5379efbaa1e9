"""Faults that need nothing from a service, and the selection of faults."""

from typing import Any

import pytest

from commands.drill import faults
from commands.drill.temporary_stack import merge
from commands.errors import CommandError
from settings import Fault
from tests.unit.stacks import sections, service, settings

GENERIC: tuple[Fault, ...] = (
    "crashLoop",
    "neverReady",
    "memoryLeak",
    "slowStart",
    "badConfiguration",
)
SERVICES: dict[str, dict[str, Any]] = {
    "smallest": {},
    "own probes": {
        "probes": {
            "startup": None,
            "readiness": {"httpGet": {"path": "/ready"}, "initialDelaySeconds": 5},
            "liveness": {"exec": {"command": ["/alive"]}},
        }
    },
    "own command and variables": {
        "command": ["/shop"],
        "args": ["--verbose"],
        "envFrom": [{"secretRef": {"name": "database"}}],
        "drill": {"progressDeadlineSeconds": 500},
    },
    "gRPC": {"ports": {"http": 8080, "grpc": 9000}, "probes": {"readiness": {"grpc": {}}}},
}


@pytest.mark.parametrize("keys", SERVICES.values(), ids=SERVICES)
@pytest.mark.parametrize("fault", GENERIC)
def test_a_fault_without_keys_of_its_own_is_valid_in_any_service(
    fault: Fault, keys: dict[str, Any]
) -> None:
    bad = faults.keys_of(fault, service(**keys))
    assert bad
    changed = merge(sections(**keys)["services"]["beacon"], bad)
    assert settings(services={"beacon": changed}).services["beacon"] != service(**keys)


def test_a_pod_that_is_never_ready_is_probed_at_a_port_nobody_listens_on() -> None:
    keys = {"probes": {"readiness": {"httpGet": {"path": "/ready"}}}}
    bad = service(**merge(keys, faults.keys_of("neverReady", service(**keys))))
    assert bad.probes.readiness
    action = bad.probes.readiness.action(bad.ports)
    assert bad.ports[getattr(action, "port")] == faults.UNUSED_PORT  # noqa: B009


def test_the_keys_in_the_stack_file_replace_the_default() -> None:
    own = {"env": {"LEAK": "1"}}
    assert faults.keys_of("memoryLeak", service(drill={"faults": {"memoryLeak": own}})) == own


def test_without_a_selection_those_faults_run_that_something_causes() -> None:
    assert faults.selected("", service()) == [*GENERIC]
    with_errors = service(drill={"faults": {"errors": {"env": {"FAIL": "1"}}}})
    assert faults.selected("", with_errors) == ["errors", *GENERIC]
    assert faults.selected("slowStart,errors", with_errors) == ["errors", "slowStart"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("crashLoop,error", "FAULTS=crashLoop,error: error is no fault, use errors, latency,"),
        ("latency", "Set slipway:services.beacon.drill.faults.latency to the keys that do"),
    ],
)
def test_a_fault_that_nothing_causes_is_refused(names: str, message: str) -> None:
    with pytest.raises(CommandError) as error:
        faults.selected(names, service())
    assert message in str(error.value)
