"""Gate after a blue-green switch: observes the version that is live now, and switches back."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from commands import kubectl
from commands.container_status import ContainerStatus
from commands.deployer import Deployer
from commands.errors import FAILED, UNDECIDED, CommandError
from commands.observability_client import ObservabilityClient, monitored, single_value
from commands.pod_logs import PodLogs
from commands.release_records import Decision
from commands.slo_regression import regression
from commands.stack_file import ReleaseFile
from commands.stack_lock import hold_lock
from components.labels import Identity
from components.observability.queries import PODS, REQUESTS, WINDOW, WINDOW_SECONDS
from components.observability.rules.canary_gate import MIN_CANARY_REQUESTS
from components.observability.slo import Sli, Slo
from settings import Service, Settings, load
from settings.project import project_name

POLL_SECONDS = 3
UNREADY_POLLS = 3
"""Consecutive polls without a ready pod after which the version has failed."""
_CRASH_LOOP = "CrashLoopBackOff"


class Result(Enum):
    """Result of the observation."""

    PASSED = auto()
    FAILED = auto()
    """The version misses the objective, and the previous one did not."""
    UNDECIDED = auto()
    """Too few requests, or Prometheus has not answered."""


@dataclass(frozen=True)
class Verdict:
    """Result of the observation and the reason, as a sentence about the version."""

    result: Result
    reason: str


def observe_switch(deployer: Deployer, name: str, switched_at: float) -> None:
    """Observe a service for ``gateSeconds`` after a switch that began at a Unix time.

    Switches back if the version fails. Other commands can change the release meanwhile. Raises
    :class:`CommandError` unless the version has passed.
    """
    deployer = replace(deployer, settings=load(deployer.stack.name))
    service = deployer.settings.services[name]
    version, seconds = service.release.stable.version, service.release.blue_green.gate_seconds

    def is_current() -> bool:
        release = ReleaseFile(deployer.stack.name, name).release
        live = release.get("blueGreen", {}).get("live", service.release.blue_green.live)
        return (release["stable"]["version"], live) == (version, service.release.blue_green.live)

    gate = SwitchGate(deployer.settings, service, deployer.environment, switched_at)
    print(f"gate: observing {name} {version} for {seconds} s; `make rollback` switches back")
    try:
        verdict = gate.observe(seconds, is_current=is_current)
    except KeyboardInterrupt:
        verdict = Verdict(Result.UNDECIDED, "the observation was interrupted")
    if not is_current():
        raise CommandError(f"gate: {_changed(name)}: {version} is not observed", UNDECIDED)
    if verdict.result is Result.FAILED:
        _switch_back(deployer, name, gate, verdict, is_current)
    if verdict.result is Result.PASSED:
        print(f"gate: {name} {version} passed: {verdict.reason}")
    deployer.restore_capacity(service)
    if verdict.result is Result.UNDECIDED:
        raise CommandError(
            f"gate: {name} {version} is not decided: {verdict.reason}. It stays live; "
            "`make rollback` switches back",
            UNDECIDED,
        )


def _changed(name: str) -> str:
    return f"another command has changed the release of {name}"


def _switch_back(
    deployer: Deployer,
    name: str,
    gate: "SwitchGate",
    verdict: Verdict,
    is_current: Callable[[], bool],
) -> None:
    version = deployer.settings.services[name].release.stable.version
    print(f"gate: {name} {version} failed: {verdict.reason}")
    with hold_lock(f"{project_name()}-{deployer.stack.name}"):
        if not is_current():
            raise CommandError(f"gate: {_changed(name)}", UNDECIDED)
        deployer.select()
        service = deployer.settings.services[name]
        if not deployer.switch_requests(service, "rollback"):
            print(deployer.release(service).rollback())
        deployer.update_release(service, decision=Decision("gate", verdict.reason))
    lines = "".join(f"\n  {line}" for line in gate.log_lines())
    raise CommandError(
        f"{name} {version} was switched back: {verdict.reason}"
        + (f". The last log lines of its pods:{lines}" if lines else ""),
        FAILED,
    )


class SwitchGate:
    """Observes the live version of a service after a switch at the Unix time ``switched_at``.

    Its requests are those that the request metrics have since the switch. They are compared with
    the objective, and with what the previous version had before the switch.
    """

    def __init__(
        self,
        settings: Settings,
        service: Service,
        environment: Mapping[str, str],
        switched_at: float,
    ) -> None:
        (measured,) = monitored(settings, [service])
        if measured.slo is None or service.release.idle is None:
            raise ValueError(f"{service.name} has no objective, or no idle version")
        self._slo: Slo = measured.slo
        self._settings = settings
        self._service = service
        self._environment = environment
        self._switched_at = switched_at
        self._version = service.release.stable.version
        self._previous = service.release.idle.version
        self._before: dict[Sli, float] = {}
        """Ratio of bad requests of the previous version before the switch."""
        self._unready_polls = 0

    def observe(self, seconds: float, *, is_current: Callable[[], bool]) -> Verdict:
        """Observe for ``seconds``, or until the version has failed.

        ``is_current`` is false when another command has changed the release.
        """
        end = time.time() + seconds
        verdict = _undecided("no requests are measured")
        with ObservabilityClient(self._settings, self._environment) as client:
            while True:
                if not is_current():
                    return _undecided(_changed(self._service.name))
                try:
                    verdict = self._verdict(client)
                except CommandError as error:
                    # The next query compares with the same time before the switch.
                    verdict = _undecided(f"the last query failed ({error})")
                if verdict.result is Result.FAILED or time.time() >= end:
                    return verdict
                time.sleep(min(POLL_SECONDS, max(0.1, end - time.time())))

    def log_lines(self) -> Sequence[str]:
        """Last log lines of the version's pods, which are the idle ones after the switch back.

        Empty if they cannot be read.
        """
        name, namespace = self._service.name, self._settings.namespace.name
        labels = Identity(name, namespace, self._service.release.object_track("stable")).selector
        context = self._settings.cluster.context
        try:
            return PodLogs(namespace, name, labels, self._environment, context).read()
        except CommandError:
            return ()

    def _verdict(self, client: ObservabilityClient) -> Verdict:
        if failed := self._failed_pods():
            return Verdict(Result.FAILED, failed)
        requests = single_value(client, self._requests)
        for sli in self._slo.slis:
            if failure := self._failure(client, sli, requests):
                return Verdict(Result.FAILED, failure)
        count = requests * WINDOW_SECONDS
        if count < MIN_CANARY_REQUESTS:
            return _undecided(
                f"{count:.0f} requests are measured, and the gate needs {MIN_CANARY_REQUESTS}"
            )
        return Verdict(Result.PASSED, f"it meets the objective in {count:.0f} requests")

    def _failure(self, client: ObservabilityClient, sli: Sli, requests: float) -> str:
        """The indicator with its value and its bounds. Empty: it is within them."""
        if sli not in self._before:
            self._before[sli] = single_value(client, self._ratio_before(sli), self._switched_at)
        before, bad = self._before[sli], single_value(client, self._bad_requests(sli))
        found = regression(self._slo, sli, bad=bad, requests=requests, before=before)
        return found and (
            f"{found}, and {before:.1%} of those of {self._previous} did before the switch"
        )

    def _failed_pods(self) -> str:
        """The pods that cannot serve. Empty: enough of them can."""
        namespace = self._settings.namespace.name
        color = self._service.release.object_track("stable")
        labels = Identity(self._service.name, namespace, color).selector
        pods: list[dict[str, Any]] = kubectl.get(
            *("pods", "--namespace", namespace),
            *("--selector", kubectl.label_selector(labels)),
            environment=self._environment,
            context=self._settings.cluster.context,
        ).get("items", [])
        ready = sum(_is_ready(pod) for pod in pods)
        crashing = sum(_is_crash_looping(pod) for pod in pods)
        if crashing and crashing >= ready:
            return f"{crashing} of its {len(pods)} pods are in {_CRASH_LOOP}, {ready} are ready"
        self._unready_polls = 0 if ready else self._unready_polls + 1
        return (
            f"none of its {len(pods)} pods is ready" if self._unready_polls == UNREADY_POLLS else ""
        )

    @property
    def _requests(self) -> str:
        """PromQL: requests per second of the version."""
        return f"sum({self._of_version(f'{REQUESTS}{{{self._slo.selector()}%s}}')})"

    def _bad_requests(self, sli: Sli) -> str:
        """PromQL: bad requests per second of the version."""
        series = self._slo.bad_requests_by("track, version", sli, f"{self._slo.selector()}%s")
        return f"sum({self._of_version(series)})"

    def _of_version(self, series: str) -> str:
        """PromQL: ``series`` of the version; ``%s`` stands for a matcher of its label.

        The metrics of a proxy have no version for 5 minutes after a switch. They are those of a
        track, whose pods have the version.
        """
        pods = f"{PODS}{{{self._slo.selector(version=self._version)}}} > 0"
        own = series.replace("%s", f',version="{self._version}"')
        unknown = series.replace("%s", ',version=""')
        return f"({own})\nor\n(({unknown}) and on (track) ({pods}))"

    def _ratio_before(self, sli: Sli) -> str:
        """PromQL: ratio of bad requests of the live color, for the time before the switch."""
        return self._slo.series(
            f"slo:track_bad_requests:ratio_rate{WINDOW}", track="stable", sli=sli
        )


def _undecided(reason: str) -> Verdict:
    return Verdict(Result.UNDECIDED, reason)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions: list[Mapping[str, str]] = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _is_crash_looping(pod: Mapping[str, Any]) -> bool:
    return any(one.waiting == _CRASH_LOOP for one in ContainerStatus.all_of(pod))
