"""Outcomes of bad versions, with a fake stack, detector and load."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from rich.console import Console

from commands.drill import drill, outcome
from commands.drill.__main__ import target
from commands.drill.detector import Detector
from commands.drill.drill import Drill, bad_version
from commands.drill.outcome import Outcome
from commands.drill.temporary_stack import TemporaryStack
from commands.load import Load, Result
from commands.observability_client import monitored
from settings import Service, Strategy
from tests.unit.commands.fake_kubectl import printed
from tests.unit.stacks import DIGEST, settings

GOOD = {"version": "1.0.0", "digest": DIGEST}
BAD = "1.0.1-drill.errors"
DRILL = {"faults": {"errors": {"env": {"FAIL": "1"}}}}


@dataclass
class FakeCommand:
    exit_code: int | None
    ended: bool = False

    def end(self) -> None:
        self.ended = True


@dataclass
class FakeStack:
    strategy: Strategy
    codes: Mapping[str, int | None]
    service: Service
    calls: list[str] = field(default_factory=list[str])
    commands: list[FakeCommand] = field(default_factory=list[FakeCommand])
    written: list[Any] = field(default_factory=list[Any])

    def live_color(self) -> str:
        return "blue"

    def good_settings(self) -> Mapping[str, Any]:
        return {}

    def write(self, *written: Any) -> None:
        self.written.append(written)

    def start(self, *arguments: str) -> FakeCommand:
        self.calls.append(" ".join(arguments))
        self.commands.append(FakeCommand(self.codes.get(arguments[0], 0)))
        return self.commands[-1]

    def run(self, *arguments: str, **_: Any) -> None:
        self.calls.append(" ".join(arguments))

    def error(self) -> str:
        return "the gate refuses it"


@dataclass
class FakeDetector:
    sign: tuple[str, str] | None
    polls: int = 1
    pods: dict[str, set[str]] = field(default_factory=lambda: {BAD: {"beacon-canary-1"}})

    def find(self, version: str, began: float) -> tuple[str, str] | None:
        self.polls -= 1
        return self.sign if self.polls <= 0 else None

    def running(self, version: str) -> bool:
        return False

    def unready(self) -> Sequence[str]:
        return ()


@dataclass
class FakeLoad:
    sources: Sequence[tuple[str, int]]
    version_header: str = "X-Pod"

    def check(self) -> None:
        pass

    def between(self, begin: float, end: float) -> Sequence[Result]:
        return [
            Result(begin, 0.01, status, source, "" if status == 200 else "500", "")
            for source, status in self.sources
        ]


def run(
    strategy: Strategy,
    sign: tuple[str, str] | None,
    sources: Sequence[tuple[str, int]] = (),
    header: str = "X-Pod",
    **codes: int | None,
) -> tuple[Outcome, FakeStack]:
    stack_settings = settings(drill=DRILL)
    service = stack_settings.services["beacon"]
    stack = FakeStack(strategy, codes, service)
    (measured,) = monitored(stack_settings, [service])
    made = Drill(
        cast(TemporaryStack, stack),
        measured,
        cast(Detector, FakeDetector(sign)),
        cast(Load, FakeLoad(sources, header)),
        None,
        10,
        lambda _: None,
    )
    return made.run_fault("errors", GOOD), stack


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(drill, "DETECTION_SECONDS", 0.3)


SERVED = (("beacon-stable-1", 200),) * 8 + (("beacon-canary-1", 500), (BAD, 200))


def test_the_first_sign_ends_the_update_and_starts_the_rollback() -> None:
    done, stack = run("canary", ("rollout", "CrashLoopBackOff"), up=None)
    assert stack.calls == ["up", "rollback"]
    assert stack.commands[0].ended
    assert (done.verdict, done.detected_by, done.back_after) == ("never served", "rollout", None)


def test_the_responses_of_a_version_are_those_of_its_pods_and_those_that_name_it() -> None:
    done, _ = run("canary", ("gate", "6.8% bad by availability"), SERVED)
    assert (done.verdict, done.requests, done.failed) == ("rolled back", 10, 1)
    assert done.share == 0.2
    assert done.has_passed


def test_a_version_that_nothing_detects_is_rolled_back_and_the_drill_has_failed() -> None:
    done, stack = run("rolling", None, SERVED)
    assert stack.calls == ["up", "rollback"]
    assert (done.verdict, done.detected_after, done.has_passed) == ("not detected", None, False)


def test_a_strategy_that_promotes_a_bad_version_has_failed() -> None:
    assert run("progressive", None, SERVED)[0].verdict == "promoted"


def test_a_strategy_that_decides_itself_is_not_interrupted_by_a_sign() -> None:
    done, stack = run("progressive", ("alert", "AvailabilityBudgetBurn"), SERVED, up=None)
    assert stack.calls == ["up", "rollback"]
    assert done.detected_by == "alert"


def test_a_color_that_its_gate_has_switched_back_is_removed_and_not_rolled_back_again() -> None:
    done, stack = run("blueGreen", None, SERVED, promote=1)
    assert stack.calls == ["up", "promote", "up"]
    assert stack.written[-1] == ({"stable": GOOD, "blueGreen": {"live": "blue"}},)
    assert (done.detected_by, done.verdict) == ("gate", "rolled back")


def test_a_release_that_the_strategy_rolls_back_is_detected_by_its_gate() -> None:
    done, stack = run("progressive", None, SERVED, up=1)
    assert stack.calls == ["up"]
    assert (done.detected_by, done.detail) == ("gate", "the gate refuses it")


def test_without_a_header_and_without_prometheus_the_share_is_unknown() -> None:
    done, _ = run("canary", ("rollout", "OOMKilled"), SERVED, header="")
    assert (done.share, done.verdict) == (None, "rolled back")


def test_the_stack_file_has_the_fault_and_the_image_of_the_good_version() -> None:
    _, stack = run("rolling", ("alert", "AvailabilityBudgetBurn"))
    ((release, fault),) = stack.written
    assert release == {"stable": {"version": BAD, "digest": DIGEST}}
    assert fault == DRILL["faults"]["errors"]


def test_a_bad_version_is_before_the_next_patch_version() -> None:
    assert bad_version("1.4.0", "slowStart") == "1.4.1-drill.slowStart"
    assert bad_version("1.4.0-rc.1", "errors") == "1.4.1-drill.errors"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "http://beacon.localhost:8080/a",
            ("http://127.0.0.1:8080/a", {"Host": "beacon.localhost:8080"}),
        ),
        ("http://shop.localhost/", ("http://127.0.0.1:80/", {"Host": "shop.localhost"})),
        ("http://shop.example.com/", ("http://shop.example.com/", {})),
    ],
)
def test_a_name_below_localhost_is_this_machine(
    url: str, expected: tuple[str, dict[str, str]]
) -> None:
    assert target(url) == expected


def test_the_table_has_a_row_for_each_fault(console: Console) -> None:
    done, _ = run("canary", ("gate", "6.8% bad by availability"), SERVED)
    outcome.show("beacon, canary", [done], console)
    row = next(line for line in printed(console).splitlines() if "errors" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[0] == "errors"
    assert cells[2:3] == ["gate: 6.8% bad by availability"]
    assert cells[4:] == ["10", "1", "20.0%", "rolled back"]


def test_the_data_is_complete() -> None:
    started = time.time()
    done, _ = run("canary", ("gate", "6.8% bad by availability"), SERVED)
    data = done.as_data()
    assert data["passed"] is True
    assert data["share"] == 0.2
    assert data["began"] >= started
