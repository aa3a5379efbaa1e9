"""Decisions of the gates of a progressive release, with the queries that Prometheus evaluates."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.observability.monitored_service import MonitoredService
from components.observability.release_gates import VERSION, ReleaseGate, release_gates
from components.observability.rules import rules_of_service
from tests.manifests.conftest import run
from tests.unit.stacks import settings

CASES = yaml.safe_load((Path(__file__).parent / "release_gates.yaml").read_text())
KINDS = ("passes", "fails", "no value")
SCRAPE_SECONDS = 5
SAMPLES = 120
TRACK = {"requests": 10, "errors": 0, "milliseconds": 80, "cpu": 50, "memory": 50}
NEW = "1.1.0"
VERSIONS = {"stable": ("stable", "1.0.0"), "canary": ("canary", NEW), "previous": ("canary", "0.9")}
PODS = {
    "stable": "beacon-progressive-primary-5f8d7c9b4-x4kzb",
    "canary": "beacon-progressive-7d4b8c6f9-x4kzb",
    "previous": "beacon-progressive-64dfb8c5d-x4kzb",
}
STACK = settings(
    observability={"mode": "bundled", "metrics": {"scrapeIntervalSeconds": SCRAPE_SECONDS}},
    release={
        "strategy": "progressive",
        "progressive": {"minRequests": 20, "gates": {"cpu": 80, "memory": 90}},
    },
)
SERVICE = MonitoredService.of(STACK.services["beacon"], STACK.namespace.name, STACK.observability)
GATES = {
    gate.name: gate for gate in release_gates(SERVICE, STACK.services["beacon"].release.progressive)
}


def series(name: str, track: dict[str, float]) -> list[dict[str, str]]:
    """Samples of a track: of its requests, and of its pod."""
    role, version = VERSIONS[name]
    labels = f'namespace="beacon-test",service="beacon",track="{role}",version="{version}"'
    pod = f'namespace="beacon-test",pod="{PODS[name]}"'
    labels = f'{labels},pod="{version}",method="GET",path="/"'
    rate = track["requests"] * SCRAPE_SECONDS
    failed = rate * track["errors"] / 100
    fast = rate if track["milliseconds"] <= 250 else 0
    duration = f'http_request_duration_seconds_bucket{{{labels},status="200",le='
    counters = {
        f'http_requests_total{{{labels},status="200"}}': rate - failed,
        f'http_requests_total{{{labels},status="500"}}': failed,
        f'{duration}"0.25"}}': fast,
        f'{duration}"+Inf"}}': rate,
        f'container_cpu_usage_seconds_total{{{pod},container=""}}': track["cpu"]
        / 1000
        * SCRAPE_SECONDS,
    }
    gauges = {
        f'container_memory_working_set_bytes{{{pod},container=""}}': track["memory"],
        f'kube_pod_container_resource_requests{{{pod},container="beacon",resource="cpu"}}': 0.1,
        f'kube_pod_container_resource_limits{{{pod},container="beacon",resource="memory"}}': 100,
    }
    if role == "stable":
        pods = (key for key in (*counters, *gauges) if "container" in key or "kube" in key)
        for key in [*pods]:
            counters.pop(key, None)
            gauges.pop(key, None)
    return [
        *({"series": key, "values": f"0+{step:g}x{SAMPLES}"} for key, step in counters.items()),
        *({"series": key, "values": f"{value:g}x{SAMPLES}"} for key, value in gauges.items()),
    ]


def expectations(gate: ReleaseGate, kind: str) -> list[dict[str, Any]]:
    """The query has a value, which is within the bounds or not; or it has none."""
    query = gate.query.replace(VERSION, NEW)
    bounds = [(">=", gate.min), ("<=", gate.max)]
    within = query
    for operator, bound in bounds:
        within = f"({within}) {operator} {bound}" if bound is not None else within
    return [
        {"expr": f"count({query})", "eval_time": "10m", "exp_samples": samples(kind != "no value")},
        {"expr": f"count({within})", "eval_time": "10m", "exp_samples": samples(kind == "passes")},
    ]


def samples(present: bool) -> list[dict[str, Any]]:
    return [{"labels": "{}", "value": 1}] if present else []


@pytest.mark.parametrize(("usage", "kind"), [(95, "passes"), (170, "fails")])
def test_the_memory_limit_of_a_pod_includes_that_of_its_sidecar(
    promtool: Path, tmp_path: Path, usage: int, kind: str
) -> None:
    in_mesh = MonitoredService.of(
        STACK.services["beacon"], STACK.namespace.name, STACK.observability, has_sidecar=True
    )
    release = STACK.services["beacon"].release
    gates = {gate.name: gate for gate in release_gates(in_mesh, release.progressive)}
    init = 'kube_pod_init_container_resource_limits{namespace="beacon-test",resource="memory"'
    pod = f'pod="{PODS["canary"]}"'
    inputs = [
        *series("canary", {**TRACK, "memory": usage}),
        {"series": f'{init},{pod},container="istio-proxy"}}', "values": f"80x{SAMPLES}"},
        {"series": f'{init},{pod},container="istio-validation"}}', "values": f"80x{SAMPLES}"},
    ]
    test = {
        "interval": f"{SCRAPE_SECONDS}s",
        "input_series": inputs,
        "promql_expr_test": expectations(gates["memory"], kind),
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"tests": [test]}))
    result = run(promtool, "test", "rules", "test.yaml", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the rules that record what the gates read."""
    folder = tmp_path_factory.mktemp("rules")
    groups = rules_of_service(SERVICE, "https://example.com")["beacon-service"]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_the_gates_decide_as_the_table_says(
    promtool: Path, rules: Path, case: dict[str, Any]
) -> None:
    tracks = {"stable": {}, **{name: case[name] for name in VERSIONS if name in case}}
    inputs = [
        one
        for name, track in tracks.items()
        if track is not None
        for one in series(name, {**TRACK, **track})
    ]
    expected = [
        one
        for kind in KINDS
        for name in case.get(kind, ())
        for one in expectations(GATES[name], kind)
    ]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": f"{SCRAPE_SECONDS}s",
                "input_series": inputs,
                "promql_expr_test": expected,
            }
        ],
    }
    (rules / "test.yaml").write_text(yaml.safe_dump(test))
    result = run(promtool, "test", "rules", "test.yaml", cwd=rules)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_gate_passes_and_fails_in_a_case() -> None:
    decided = {kind: {name for case in CASES for name in case.get(kind, ())} for kind in KINDS}
    assert decided["passes"] == decided["fails"] == set(GATES)
