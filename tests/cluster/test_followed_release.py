"""Progressive releases that the commands follow: several at once, rollback, pause, variants."""

import copy
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from commands.load import Load
from settings import RoutingBackend
from tests.cluster.progressive import (
    FEW_PODS,
    PROXY_SECONDS,
    RATE,
    Status,
    add_prometheus,
    host,
    loads,
    no_request_fails,
    services,
    status,
)
from tests.cluster.project import INGRESS_URL, Project, wait_until
from tests.cluster.traffic import versions_of
from tests.unit.commands.notifications.http_receiver import HttpReceiver, Reply, http_receiver

pytestmark = pytest.mark.timeout(900)

SERVICES: Mapping[str, RoutingBackend] = {
    "beacon": "ingress",
    "edge": "gateway",
    "night": "gateway",
}
"""Back end of each service. Each has a source of its own, and so a version of its own."""
PAIR = ("beacon", "edge")
"""A service of each back end. They are released at the same time."""
PROGRESSIVE = {"intervalSeconds": 10, "threshold": 4, "steps": [20, 50], "minRequests": 5}
LONG_STEPS = {"intervalSeconds": 40, "steps": [20, 30, 40, 50]}
"""A step must last longer than a command takes."""
GOROUTINES = {"name": "goroutines", "query": "max(go_goroutines{$selector})"}
"""A query of `release.progressive.gates`, without its bounds."""
TOKEN = "xoxb-0123456789"


@pytest.fixture(scope="module")
def slack() -> Iterator[HttpReceiver]:
    """Slack's Web API. The timestamp of a message is its number."""
    with http_receiver() as receiver:
        receiver.replies = [
            Reply(body=json.dumps({"ok": True, "ts": str(number)})) for number in range(200)
        ]
        yield receiver


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project, slack: HttpReceiver) -> None:
    """Progressive services, the Prometheus that the gates query, and a Slack channel."""
    with project.config() as config:
        add_prometheus(config, project.stack)
        config["slipway:notifications"] = {
            "slack": {"channel": "C0123", "apiUrl": slack.url("/api")}
        }
        beacon = config["slipway:services"]["beacon"]
        beacon["slo"] = {"availability": 99}
        beacon["release"]["strategy"] = "progressive"
        beacon["release"]["progressive"] = PROGRESSIVE
        beacon["autoscaling"] = FEW_PODS
        # Of the default limit, a pod that has just started uses less than a percent.
        beacon["workload"]["resources"]["limits"] = {"memory": "64Mi"}
        for name, backend in SERVICES.items():
            shutil.copytree(project.folder / "app", project.folder / name)
            service = copy.deepcopy(beacon)
            service["source"] = name
            service["image"] = {"repository": f"slipway/{project.stack}/{name}"}
            service["routing"] |= {"hosts": [host(project, name)], "backend": backend}
            config["slipway:services"][name] = service
    for options in (
        ("stack", "select", "--create", project.stack),
        (
            *("config", "set", "--secret", "--stack", project.stack, "--path"),
            *("slipway:notifications.slack.botToken", TOKEN),
        ),
    ):
        result = project.run("pulumi", *options)
        assert result.returncode == 0, result.stderr
    project.make("up")


def command(project: Project, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command without make, which has other exit codes."""
    name, *options = arguments
    stack = f"--stack={project.stack}"
    return project.run(".venv/bin/python", "-m", "commands", name, stack, *options)


def start(project: Project, *arguments: str, on_terminal: bool = False) -> "subprocess.Popen[str]":
    """Start a command whose output can be read."""
    name, *options = arguments
    line = [".venv/bin/python", "-u", "-m", "commands", name, f"--stack={project.stack}", *options]
    if on_terminal:
        line = ["script", "--quiet", "--return", "--command", shlex.join(line), "/dev/null"]
    return subprocess.Popen(
        line,
        cwd=project.folder,
        env={**project.environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Exit code and output of a command that follows a release."""
    output, _ = process.communicate(timeout=400)
    return process.returncode, output


def stack_file(project: Project) -> str:
    return project.file.read_text()


def weights(project: Project) -> dict[str, int]:
    return {name: status(project, name).weight for name in PAIR}


def wait_for_steps(project: Project, *following: "subprocess.Popen[str]") -> None:
    """Wait until both releases are in a step."""

    def are_in_steps() -> bool:
        for process in following:
            assert process.poll() is None, outcome(process)
        return all(weights(project).values())

    wait_until("the steps", are_in_steps, 240)


def served(project: Project, service: str) -> set[str]:
    """Versions of some responses."""
    return set(versions_of(host(project, service), 50))


def threads(slack: HttpReceiver) -> Sequence[Sequence[str]]:
    """Texts of the messages of each thread, oldest first."""
    found: dict[str, list[str]] = {}
    for number, body in enumerate(slack.bodies):
        found.setdefault(body.get("thread_ts", str(number)), []).append(body["text"])
    return [*found.values()]


def test_two_releases_at_once_are_promoted_and_have_a_thread_of_messages_each(
    project: Project, slack: HttpReceiver
) -> None:
    with no_request_fails(project, PAIR):
        following = {
            name: start(project, "release", f"--service={name}", "--version=1.1.0") for name in PAIR
        }
        for name, process in following.items():
            exit_code, output = outcome(process)
            assert exit_code == 0, output
            # A busy machine may show one of the two only.
            assert re.search(r"(20 %, step 1|50 %, step 2) of 2", output), output
            assert f"{name} 1.1.0 is promoted" in output
    for name in PAIR:
        assert served(project, name) == {"1.1.0"}
        assert "1.1.0" in project.make("history", f"SERVICE={name}").stdout
        first, *steps, last = next(one for one in threads(slack) if f"*{name} 1.1.0*" in one[0])
        assert "1.0.0 serves until the promotion" in first
        assert any("% of the requests" in one for one in steps)
        assert "promoted. It replaces 1.0.0" in last
    assert TOKEN not in stack_file(project)
    project.assert_unchanged()


VIOLATED: Mapping[str, Mapping[str, Any]] = {
    "edge": {"queries": [GOROUTINES | {"max": 1}]},
    "night": {"memory": 1},
}
"""`release.progressive.gates` of services that have no fault, and a bound that no version meets."""


def test_a_bad_version_is_rolled_back_by_any_gate_and_refused_from_then_on(
    project: Project, slack: HttpReceiver
) -> None:
    before = {name: served(project, name) for name in SERVICES}
    length = len(stack_file(project))
    with services(project) as all_services:
        for name, gates in VIOLATED.items():
            all_services[name]["release"]["progressive"]["gates"] = copy.deepcopy(gates)
        all_services["beacon"]["config"]["faults"]["errorRate"] = 0.5
        build(project, all_services, "1.2.0")
    with loads(project, SERVICES):
        result = command(project, "up")
    output = result.stdout
    assert result.returncode == 1, output + result.stderr
    for name, reason in (
        ("beacon", r"availability(-stable)? [\d.]+ [<>]"),
        ("edge", r"goroutines [\d.]+ > 1"),
        ("night", r"memory [\d.]+ > 1"),
    ):
        assert re.search(rf"{name} 1\.2\.0 was rolled back after .*: {reason}", output), output
    assert "events of Flagger:" in output
    assert {name: served(project, name) for name in SERVICES} == before
    assert "errorRate" not in stack_file(project)
    assert "1.2.0" not in stack_file(project)
    assert abs(len(stack_file(project)) - length) < 200 * len(SERVICES)
    (thread,) = (one for one in threads(slack) if "*beacon 1.2.0*" in one[0])
    assert "rolled back to 1." in thread[-1]
    assert "availability" in thread[-1]
    project.assert_unchanged()
    refused = command(project, "release", "--service=beacon", "--version=1.2.0")
    assert refused.returncode == 2
    assert "VERSION=1.2.0 was rolled back at" in refused.stderr
    assert "Flagger" in project.make("history", "SERVICE=beacon").stdout
    with services(project) as all_services:
        for name in VIOLATED:
            del all_services[name]["release"]["progressive"]["gates"]


def build(project: Project, all_services: Mapping[str, Any], version: str) -> None:
    """Let the next update release a version of each service, built from its source."""
    for name in SERVICES:
        (project.folder / name / "VERSION").write_text(f"{version}\n")
        stable = all_services[name]["release"]["stable"]
        stable["version"] = version
        stable.pop("digest", None)


def test_a_changed_configuration_is_a_release_that_can_be_paused_and_promoted(
    project: Project,
) -> None:
    with services(project) as all_services:
        for name in PAIR:
            all_services[name]["config"]["message"] = "changed"
            # A copy: stack files have no YAML aliases.
            all_services[name]["release"]["progressive"] |= copy.deepcopy(LONG_STEPS)
    with no_request_fails(project, PAIR):
        following = start(project, "up")
        wait_for_steps(project, following)
        for name in PAIR:
            project.make("pause", f"SERVICE={name}")
        assert stack_file(project).count("paused: true") == len(PAIR)
        paused = weights(project)
        assert all(0 < weight <= LONG_STEPS["steps"][-1] for weight in paused.values())
        time.sleep(1.2 * LONG_STEPS["intervalSeconds"])
        assert weights(project) == paused
        for name in PAIR:
            project.make("promote", f"SERVICE={name}")
        exit_code, output = outcome(following)
    assert exit_code == 0, output
    assert "paused" not in stack_file(project)
    assert "analysis" not in stack_file(project)
    project.assert_unchanged()


def test_a_rollback_in_progress_restores_the_version_and_ends_the_command_that_follows(
    project: Project,
) -> None:
    before, versions = stack_file(project), {name: served(project, name) for name in PAIR}
    with no_request_fails(project, PAIR):
        following = [
            start(project, "release", f"--service={name}", "--version=1.3.0", on_terminal=True)
            for name in PAIR
        ]
        wait_for_steps(project, *following)
        for name in PAIR:
            project.make("rollback", f"SERVICE={name}")
        outcomes = [outcome(process) for process in following]
    for exit_code, output in outcomes:
        assert exit_code == 1, output
        assert "make rollback" in output
    assert {name: served(project, name) for name in PAIR} == versions
    assert "1.3.0" not in stack_file(project)
    assert "analysis" not in stack_file(project)
    assert len(stack_file(project)) - len(before) < 200
    project.assert_unchanged()


MAX_CPU = 80
"""Percent of the request, above the utilization at which the autoscaler adds pods."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "beacon": {"iterations": 2, "load": {"requestsPerSecond": 5}},
    "edge": {
        "iterations": 2,
        "match": {"header": "X-Tester"},
        "manual": ["promotion"],
        "gates": {
            "cpu": 1000,
            "memory": 90,
            "queries": [GOROUTINES | {"max": 10000}],
        },
    },
    "night": {
        "steps": [10, 30, 50],
        "promotionStepWeight": 25,
        "manual": ["rollout"],
        # More than one pod may use by its gate, and less than all pods of the autoscaler may.
        "load": {"requestsPerSecond": 250, "path": "/api/v1/work"},
        "gates": {"cpu": MAX_CPU},
    },
}
"""`release.progressive` of each service. Nobody but the load tester sends requests to `night`."""


def test_a_release_that_flagger_does_not_begin_is_not_decided_and_goes_on_later(
    project: Project,
) -> None:
    with services(project) as all_services:
        build(project, all_services, "1.4.0")
        for name, variant in VARIANTS.items():
            release = all_services[name]["release"]
            release["progressive"] = copy.deepcopy({**PROGRESSIVE, "threshold": 20, **variant})
            if "iterations" in variant:
                del release["progressive"]["steps"]
        # Several checks of the gate come before the autoscaler adds pods, which then are enough.
        all_services["night"]["autoscaling"] = {
            "minReplicas": 1,
            "maxReplicas": 10,
            "scaleUpStabilizationWindowSeconds": 60,
        }
    project.kubectl("scale", "deployment/flagger", "--replicas=0")
    result = command(project, "up")
    project.kubectl("scale", "deployment/flagger", "--replicas=1")
    assert result.returncode == 2, result.stdout + result.stderr
    for name in SERVICES:
        assert f"{name} 1.4.0 is not decided" in result.stdout
    assert "is its pod running?" in result.stdout


def test_releases_with_approvals_an_ab_test_or_too_few_pods_are_promoted(
    project: Project,
) -> None:
    """The releases of the test before, which have begun now, at the same time."""
    testers = Load(INGRESS_URL, RATE, {"Host": host(project, "edge"), "X-Tester": "always"})
    promotion: list[Status] = []
    replicas: list[int] = []
    held: list[str] = []

    def has_ended(service: str) -> bool:
        promotion.append(status(project, service))
        # Kubernetes combines similar events: a later one replaces the message.
        held.extend(re.findall(rf"advancement cpu [\d.]+ > {MAX_CPU}", events(project, service)))
        replicas.append(pods(project, service))
        return promotion[-1].phase == "Succeeded"

    with loads(project, PAIR) as users, testers:
        commands = [start(project, "up")]
        wait_until("the gate", lambda: status(project, "night").phase == "Waiting", 60)
        assert pods(project, "night") == 0
        commands.append(start(project, "resume", "--service=night"))
        wait_until("the test", lambda: status(project, "edge").phase == "WaitingPromotion", 180)
        assert "1.4.0" not in users["edge"].versions
        assert {one.version for one in testers.results[-RATE:]} == {"1.4.0"}
        commands.append(start(project, "resume", "--service=edge"))
        wait_until("the promotion", lambda: has_ended("night"), 240)
        outcomes = [outcome(one) for one in commands]
    for exit_code, output in outcomes:
        assert exit_code == 0, output
    _, output = outcomes[0]
    for gate in ("cpu", "memory", "goroutines"):
        assert re.search(rf"{gate} [\d.e+]+ ≤ \d+", output), output
    # The step is held while one pod uses too much CPU, and the autoscaler adds others.
    assert held
    assert max(replicas) > 1
    # The promotion has steps too.
    assert 25 in {one.weight for one in promotion if one.phase == "Promoting"}
    for load in users.values():
        assert load.failures == []
    # Without steps, every request is routed to the new version at once.
    old, new = (
        [one.sent for one in users["beacon"].results if (one.version == "1.4.0") is is_new]
        for is_new in (False, True)
    )
    assert max(old) - min(new) < PROXY_SECONDS
    for name in SERVICES:
        assert served(project, name) == {"1.4.0"}


def pods(project: Project, service: str) -> int:
    """Replicas of the new version."""
    path = "jsonpath={.spec.replicas}"
    return int(project.kubectl("get", "deployment", f"{service}-progressive", "-o", path))


def events(project: Project, service: str) -> str:
    """Messages of Flagger about the releases of a service."""
    canary = f"involvedObject.kind=Canary,involvedObject.name={service}-progressive"
    messages = "jsonpath={range .items[*]}{.message}{'\\n'}{end}"
    return project.kubectl("get", "events", "--field-selector", canary, "--output", messages)
