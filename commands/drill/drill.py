"""A drill: the bad versions of one service, one after the other, under steady load."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from semver import Version

from commands.drill import faults
from commands.drill.detector import Detection, Detector
from commands.drill.outcome import Outcome, Verdict
from commands.drill.strategies import GATE_SECONDS, BadRelease, Options, bad_release
from commands.drill.temporary_stack import TemporaryStack
from commands.errors import FAILED, CommandError
from commands.load import Load, Result
from commands.observability_client import ObservabilityClient
from commands.pulumi import Stack
from components.observability.monitored_service import MonitoredService
from components.observability.queries import REQUESTS, WINDOW_SECONDS, request_rate
from settings import Fault

UPDATE_SECONDS = 900
"""Deadline of the first update, which deploys the observability servers."""
DETECTION_SECONDS = 600
"""Time from the begin of a bad version's deployment in which it must be detected."""
ROLLBACK_SECONDS = 300
BASELINE_SECONDS = 15
"""Time of the load before the first fault, without a failed request."""
SETTLE_SECONDS = 300
"""Time after a rollback in which the pods of the bad version must end."""
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Drill:
    """Drill in a temporary stack, whose service gets ``load``.

    ``client`` is that of the stack's observability servers, if it has any. ``say`` gets a line
    about each step.
    """

    stack: TemporaryStack
    service: MonitoredService
    detector: Detector
    load: Load
    client: ObservabilityClient | None
    weight: int
    """Percentage of the requests for a canary."""
    say: Callable[[str], None]

    def run(self, chosen: Sequence[Fault]) -> Iterator[Outcome]:
        """Yield the outcome of each fault. Raises :class:`CommandError` if it cannot go on."""
        good = self.good_version()
        self.await_baseline()
        for fault in chosen:
            yield self.run_fault(fault, good)

    def good_version(self) -> Mapping[str, str]:
        """Version and digest of the deployed stable version."""
        outputs = Stack(self.stack.name, self.stack.environment).outputs()
        running = outputs["services"][self.service.name]["stable"]
        return {"version": running["version"], "digest": running["image"].rpartition("@")[2]}

    def await_baseline(self) -> None:
        """Wait until requests succeed, and until Prometheus has their rate.

        Raises :class:`CommandError` if requests fail without a fault.
        """
        begin = time.time()
        while time.time() < begin + BASELINE_SECONDS:
            time.sleep(_POLL_SECONDS)
            self.load.check()
        responses = self.load.between(begin + BASELINE_SECONDS / 2, time.time())
        failed = [one for one in responses if one.error]
        if failed or not responses:
            reason = failed[0].error if failed else "no response"
            raise CommandError(
                f"{len(failed)} of {len(responses)} requests to {self.load.url} fail without a "
                f"fault ({reason}): set slipway:services.{self.service.name}.drill.path",
                FAILED,
            )
        rate = request_rate(self.service.selector())
        if self.client and not self._wait_for(lambda: self._query(rate) > 0, SETTLE_SECONDS):
            raise CommandError(f"Prometheus has no request rate of {self.service.name}", FAILED)

    def run_fault(self, fault: Fault, good: Mapping[str, str]) -> Outcome:
        """Release the bad version until it is detected, and roll it back."""
        version = bad_version(good["version"], fault)
        release = release_of(self.stack, fault, good, self.weight)
        began = time.time()
        self.say(f"{fault}: deploying {version}")
        self.stack.write(release.release, faults.keys_of(fault, self.stack.service))
        detection, is_promoted = self._watch(release, version, began)
        if detection:
            after = detection.at - began
            self.say(f"{fault}: {detection.by} after {after:.0f} s ({detection.detail})")
        else:
            self.say(f"{fault}: not detected within {DETECTION_SECONDS} s")
        if not (detection and detection.is_ended):
            self.stack.run("rollback", seconds=ROLLBACK_SECONDS, check=self.load.check)
        back = time.time()
        if self.stack.strategy == "blueGreen":  # a color keeps the bad version
            live = {"blueGreen": {"live": self.stack.live_color()}}
            self.stack.write({"stable": good, **live})
            self.stack.run("up", seconds=UPDATE_SECONDS, check=self.load.check)
        self._settle(version)
        ended = time.time()
        responses = self.load.between(began, ended)
        bad = self._responses_of(version, responses)
        count = len(bad) if bad is not None else self._measured(version, ended - began)
        return Outcome(
            fault=fault,
            version=version,
            began=began,
            ended=ended,
            detected_after=detection.at - began if detection else None,
            detected_by=detection.by if detection else None,
            detail=detection.detail if detection else "",
            back_after=_back_after(detection, bad, count, back),
            requests=len(responses),
            failed=sum(bool(one.error) for one in responses),
            bad_responses=count,
            verdict="promoted" if is_promoted else _verdict(detection, count),
        )

    def _watch(
        self, release: BadRelease, version: str, began: float
    ) -> tuple[Detection | None, bool]:
        """Release the version, and end the release at the first sign that the version is bad.

        Return the sign, and True if a command that decides by itself has promoted the version.
        """
        deadline, first, is_promoted = began + DETECTION_SECONDS, None, False
        for name, *options in release.commands:
            command = self.stack.start(name, *options)
            try:
                while (code := command.exit_code) is None and time.time() < deadline:
                    found = self._find(version, began)  # also notes the names of its pods
                    first = first or found
                    if first and name != release.deciding:
                        return first, False
            finally:
                command.end()
            if code and name == release.deciding:
                at, detail = (
                    (first.at, first.detail) if first else (time.time(), self.stack.error())
                )
                return Detection(at, "gate", detail, is_ended=True), False
            if code:
                return Detection(time.time(), "rollout", self.stack.error()), False
            is_promoted = code == 0 and name == release.deciding
        while not first and time.time() < deadline:
            first = self._find(version, began)
        return first, is_promoted

    def _find(self, version: str, began: float) -> Detection | None:
        time.sleep(_POLL_SECONDS)
        self.load.check()
        sign = self.detector.find(version, began)
        return Detection(time.time(), *sign) if sign else None

    def _settle(self, version: str) -> None:
        """Wait until only the good version runs, and all its pods are ready."""

        def is_settled() -> bool:
            self.load.check()
            return not self.detector.running(version) and not self.detector.unready()

        if not self._wait_for(is_settled, SETTLE_SECONDS):
            raise CommandError(
                f"{version} still runs {SETTLE_SECONDS} s after its rollback:\n{self.stack.tail()}",
                FAILED,
            )

    def _responses_of(self, version: str, all_: Sequence[Result]) -> list[Result] | None:
        """Responses of a version. ``None``: the service has no header with it."""
        if not self.load.version_header:
            return None
        sources = {version, *self.detector.pods.get(version, ())}
        return [one for one in all_ if one.version in sources]

    def _measured(self, version: str, seconds: float) -> int | None:
        """Requests to a version, from Prometheus, for a service without a header."""
        if self.client is None:
            return None
        rate = f"sum({REQUESTS}{{{self.service.selector(version=version)}}})"
        rate = f"max_over_time({rate}[{seconds:.0f}s:5s])"
        return round(self._query(rate) * min(seconds, WINDOW_SECONDS))

    def _query(self, promql: str) -> float:
        """First value of a query, or 0."""
        if self.client is None:
            return 0
        try:
            found = self.client.query(promql)
        except CommandError:
            return 0
        return found[0].value if found else 0

    def _wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def release_of(
    stack: TemporaryStack, fault: Fault, good: Mapping[str, str], weight: int
) -> BadRelease:
    """The release of the bad version in the stack, with version and digest of the good one."""
    bad = {**good, "version": bad_version(good["version"], fault)}
    gate_seconds = stack.service.release.blue_green.gate_seconds or GATE_SECONDS
    options = Options(weight, stack.live_color(), gate_seconds)
    return bad_release(stack.strategy, good, bad, stack.good_settings(), options)


def bad_version(good: str, fault: Fault) -> str:
    """Name of the bad version: before the next patch version, like ``1.0.1-drill.errors``."""
    return f"{Version.parse(good).finalize_version().bump_patch()}-drill.{fault}"


def _back_after(
    detection: Detection | None, bad: Sequence[Result] | None, count: int | None, back: float
) -> float | None:
    if detection is None or count == 0:
        return None
    last = max((one.received for one in bad), default=back) if bad is not None else back
    return max(last - detection.at, 0)


def _verdict(detection: Detection | None, count: int | None) -> Verdict:
    if detection is None:
        return "not detected"
    return "never served" if count == 0 else "rolled back"
