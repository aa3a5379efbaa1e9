"""A fleet of seven clusters is deployed in waves, killed, rolled back and kept out of others."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.cluster.fleet import CONTEXTS, FIRST, WAVES, Fleet, fleet_of_seven
from tests.cluster.project import read_until

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def fleet(
    cluster_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of_seven(tmp_path_factory.mktemp("fleet"), cluster_environment) as made:
        yield made


def line_of(lines: Sequence[str], text: str) -> int:
    """Number of the first line with ``text``."""
    return next(number for number, line in enumerate(lines) if text in line)


def in_all(version: str) -> Mapping[str, str]:
    return dict.fromkeys(CONTEXTS, version)


def test_a_fleet_that_was_killed_deploys_all_waves_when_it_is_run_again(fleet: Fleet) -> None:
    process = subprocess.Popen(
        fleet.command("up"),
        cwd=fleet.base.folder,
        env=dict(fleet.base.environment),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    read_until(f"{fleet.stacks['east2'].stack}: updating", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    fleet.succeeds("up")
    assert fleet.versions() == in_all("1.0.0")
    assert fleet.served() == "1.0.0"


def test_a_new_version_reaches_the_waves_in_order_and_the_stacks_of_a_wave_at_once(
    fleet: Fleet,
) -> None:
    fleet.declare("1.9.0")
    previewed = fleet.succeeds("preview")
    assert previewed.count("beacon 1.0.0 -> 1.9.0") >= len(CONTEXTS)
    assert "differs" not in previewed
    assert fleet.versions() == in_all("1.0.0")
    lines = fleet.succeeds("up").splitlines()
    assert fleet.versions() == in_all("1.9.0")
    assert fleet.served() == "1.9.0"
    started, ended = (
        {one: line_of(lines, f"{fleet.stacks[one].stack}: {state}") for one in CONTEXTS}
        for state in ("updating", "done")
    )
    for earlier, later in pairwise(WAVES.values()):
        assert max(ended[one] for one in earlier) < min(started[one] for one in later)
        assert sorted(started[one] for one in later)[1] < min(ended[one] for one in later)
    assert fleet.succeeds("status").count("1.9.0 promoted") == len(CONTEXTS)


def test_a_bad_version_stops_at_the_first_wave_and_is_rolled_back(fleet: Fleet) -> None:
    before, files = fleet.deployments(), fleet.files()
    fleet.declare("2.0.0", env={"BEACON_LOG_LEVEL": "loud"})
    result = fleet.run("up")
    assert "Error 1" in result.stderr, result.stdout + result.stderr
    others = CONTEXTS[1:]
    names = ", ".join(fleet.stacks[one].stack for one in others)
    assert f"not touched: {names}\n" in result.stdout
    assert fleet.served() == "1.9.0"
    assert "1 of 1 updated stacks are rolled back" in fleet.succeeds("rollback")
    assert fleet.served() == "1.9.0"
    assert fleet.versions() == in_all("1.9.0")
    for found, old in ((fleet.deployments(), before), (fleet.files(), files)):
        assert {one: found[one] for one in others} == {one: old[one] for one in others}
    assert "nothing to roll back" in fleet.succeeds("rollback")
    fleet.stacks[FIRST].assert_unchanged()


def test_a_kubeconfig_that_points_to_another_cluster_is_refused_before_a_wave(
    fleet: Fleet,
) -> None:
    kubeconfig = Path(fleet.base.environment["KUBECONFIG"])
    original, before = kubeconfig.read_text(), fleet.deployments()
    config = yaml.safe_load(original)
    contexts = {one["name"]: one["context"] for one in config["contexts"]}
    contexts["east2"], contexts["singapore1"] = contexts["singapore1"], contexts["east2"]
    config["contexts"] = [{"name": name, "context": one} for name, one in contexts.items()]
    try:
        kubeconfig.write_text(yaml.safe_dump(config))
        results = {
            "up": fleet.run("up"),
            "preview": fleet.run("preview"),
            "ci-drift": fleet.stacks["east2"].make_fails("ci-drift"),
        }
    finally:
        kubeconfig.write_text(original)
    for result in results.values():
        printed = result.stdout + result.stderr
        assert "Error 2" in result.stderr, printed
        assert "context east2 of the kubeconfig is another cluster" in result.stderr, printed
    assert "context singapore1 of the kubeconfig is another cluster" in results["up"].stderr
    assert "updating" not in results["up"].stdout
    assert fleet.deployments() == before
