"""Reading Flagger's Canaries."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from commands.flagger_canary import Canaries, Gate
from tests.unit.commands.canary_states import ANALYSIS, NAME, canary, deployment, state
from tests.unit.commands.fake_kubectl import Cluster


def canaries(cluster: Cluster) -> Canaries:
    client = cluster.client()
    return Canaries(client.settings, client.environment)


def test_a_primary_with_the_same_pods_and_configuration_is_promoted() -> None:
    promoted = state("Succeeded", version="1.1.0", served="1.1.0")
    assert promoted.is_promoted
    for other in (
        state("Succeeded", version="1.1.0", served="1.0.0"),
        replace(promoted, target=deployment("1.1.0", env="debug")),
        replace(promoted, config={"config.json": '{"message": "new"}'}),
        replace(promoted, primary={}),
    ):
        assert not other.is_promoted


@pytest.mark.parametrize(
    ("analysis", "weight", "expected"),
    [
        (ANALYSIS, 0, "0 %, step 0 of 2"),
        (ANALYSIS, 10, "10 %, step 1 of 2"),
        (ANALYSIS, 50, "50 %, step 2 of 2"),
        ({"stepWeight": 20, "maxWeight": 50}, 40, "40 %, step 2 of 3"),
        ({"stepWeight": 50}, 50, "50 %, step 1 of 2"),
        ({"iterations": 5}, 0, "0 %, check 0 of 5"),
        ({"iterations": 5, "match": [{"headers": {}}]}, 100, "A/B test, check 0 of 5"),
    ],
)
def test_the_progress_is_the_weight_and_its_step(analysis, weight, expected) -> None:
    assert state("Progressing", weight, analysis=analysis).progress == expected


@pytest.mark.parametrize(
    ("phase", "analysis", "weight", "expected"),
    [
        ("WaitingPromotion", ANALYSIS, 0, 50),
        ("Promoting", ANALYSIS, 0, 50),
        ("Promoting", {**ANALYSIS, "stepWeightPromotion": 20}, 30, 30),
        ("Finalising", ANALYSIS, 0, 0),
        ("WaitingPromotion", {"iterations": 5}, 0, 0),
        ("Promoting", {"iterations": 5}, 0, 100),
        ("Promoting", {"iterations": 5, "match": [{"headers": {}}]}, 0, 0),
    ],
)
def test_the_weight_is_that_of_the_routes_when_flagger_has_reset_its_status(
    phase: str, analysis: dict[str, Any], weight: int, expected: int
) -> None:
    assert state(phase, weight, analysis=analysis).weight == expected


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        # (2 steps + 3 failed checks + 4) intervals, and two rollouts of 60 s
        ({}, 9 * 10 + 120),
        ({"interval": "1m30s"}, 9 * 90 + 120),
        ({"interval": "2s"}, 9 * 10 + 120),
        ({"stepWeightPromotion": 20}, 12 * 10 + 120),
        ({"iterations": 5}, 12 * 10 + 120),
    ],
)
def test_the_deadline_has_room_for_all_steps_failed_checks_and_rollouts(changes, seconds) -> None:
    assert state("Progressing", analysis={**ANALYSIS, **changes}).deadline_seconds == seconds


@pytest.mark.parametrize(
    ("gate", "value", "shown"),
    [
        (Gate("errors", "", maximum=1), 0.25, "errors 0.25 ≤ 1"),
        (Gate("errors", "", maximum=1), 6.8, "errors 6.8 > 1"),
        (Gate("success", "", minimum=99), 98.5, "success 98.5 < 99"),
        (Gate("success", "", minimum=99, maximum=100), 99.5, "success 99.5 ≥ 99 ≤ 100"),
        (Gate("success", "", minimum=99, maximum=100), 98, "success 98 < 99"),
        (Gate("errors", "", maximum=1), None, "errors no data ≤ 1"),
        (Gate("errors", "", maximum=1), float("nan"), "errors nan"),
    ],
)
def test_a_gate_has_its_value_beside_its_bound(gate, value, shown) -> None:
    assert gate.describe(value) == shown


def test_states_are_those_of_services_with_a_canary(cluster: Cluster) -> None:
    items = [
        canary("Progressing", 10),
        deployment("1.1.0"),
        deployment("1.0.0", name=f"{NAME}-primary"),
        {"kind": "ConfigMap", "metadata": {"name": NAME}, "data": {"a": "1"}},
    ]
    cluster.kubectl_prints("get", json.dumps({"items": items}))
    found = canaries(cluster).read(["beacon", "other"])
    assert [*found] == ["beacon"]
    assert (found["beacon"].weight, found["beacon"].version("beacon")) == (10, "1.1.0")
    assert found["beacon"].served("beacon") is not None


def test_without_flagger_there_are_no_canaries(cluster: Cluster) -> None:
    error = 'error: the server doesn\'t have a resource type "canaries"'
    cluster.kubectl_prints("get", "", error, 1)
    assert canaries(cluster).read(["beacon"]) == {}


def test_the_query_of_a_gate_has_the_names_of_the_canary(cluster: Cluster) -> None:
    metric = {
        **{"name": "errors", "interval": "1m", "thresholdRange": {"max": 1}},
        "templateVariables": {"version": "1.1.0"},
    }
    query = (
        'rate(errors{namespace="{{ namespace }}",target="{{target}}",'
        'version="{{ variables.version }}",text="{{ "{{" }} x }}"}[{{ interval }}])'
    )
    template = {"metadata": {"name": "beacon-errors"}, "spec": {"query": query}}
    cluster.kubectl_prints("get metrictemplates", json.dumps({"items": [template]}))
    analysis = {
        **ANALYSIS,
        "metrics": [{**metric, "templateRef": {"name": "beacon-errors"}}, {"name": "builtin"}],
    }
    (gate,) = canaries(cluster).gates(state("Progressing", analysis=analysis))
    assert gate.query == (
        f'rate(errors{{namespace="beacon-test",target="{NAME}",'
        'version="1.1.0",text="{{ x }}"}[1m])'
    )
    assert (gate.minimum, gate.maximum) == (None, 1)


def test_events_are_those_since_the_start_of_the_release(cluster: Cluster) -> None:
    events = [
        {"lastTimestamp": "2026-01-01T00:02:00Z", "message": "second"},
        {"lastTimestamp": "2026-01-01T00:01:00Z", "message": "first"},
        {"lastTimestamp": "2025-12-31T00:00:00Z", "message": "of the last release"},
    ]
    cluster.kubectl_prints("get events", json.dumps({"items": events}))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert canaries(cluster).events(state("Failed"), since) == ["first", "second"]
