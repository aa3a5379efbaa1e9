"""SLO gate of a stack: observes its services after an update.

Exit code 0: all meet their objective, or have none. 1: one misses it. 2: too few requests, or
Prometheus has not answered.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from commands.errors import FAILED, UNDECIDED, CommandError, report_errors
from commands.observability_client import ObservabilityClient, monitored, single_value
from commands.prerequisites import Prerequisites
from commands.slo_regression import regression
from commands.switch_gate import Result, Verdict
from components.observability.queries import WINDOW, WINDOW_SECONDS
from components.observability.rules.canary_gate import MIN_CANARY_REQUESTS
from components.observability.slo import Sli, Slo
from settings import Settings, load

POLL_SECONDS = 10


class SloGate:
    """Compares the services of a stack with their objectives after the Unix time ``since``.

    A ratio of bad requests up to twice that before it passes.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str], since: float) -> None:
        self._settings = settings
        self._environment = environment
        self._since = since
        is_measured = settings.observability.mode == "bundled"
        services = settings.services.values() if is_measured else ()
        self._slos = [one.slo for one in monitored(settings, services) if one.slo is not None]
        self._before: dict[tuple[str, Sli], float] = {}
        """Ratio of bad requests of each service before ``since``."""

    def omitted(self) -> Iterator[str]:
        """Yield why a service is not observed, for each of them."""
        mode = self._settings.observability.mode
        reason = f"observability.mode is {mode}" if mode != "bundled" else "slo is null"
        for name in self._settings.services:
            if name not in [slo.service for slo in self._slos]:
                yield f"no gate for {name}: {reason}"

    def observe(self, seconds: float) -> Verdict:
        """Observe for ``seconds``, or until a service has failed."""
        end = time.time() + seconds
        with ObservabilityClient(self._settings, self._environment) as client:
            while self._slos:
                verdicts = [self._verdict(client, slo) for slo in self._slos]
                worst = [one for one in verdicts if one.result is not Result.PASSED] or verdicts
                failed = next((one for one in worst if one.result is Result.FAILED), None)
                if failed or time.time() >= end:
                    reasons = "; ".join(one.reason for one in worst)
                    return failed or Verdict(worst[0].result, reasons)
                time.sleep(min(POLL_SECONDS, max(0.1, end - time.time())))
        return Verdict(Result.PASSED, "no service is observed")

    def _verdict(self, client: ObservabilityClient, slo: Slo) -> Verdict:
        try:
            requests = single_value(client, slo.requests(WINDOW))
            for sli in slo.slis:
                if failure := self._failure(client, slo, sli, requests):
                    return Verdict(Result.FAILED, f"{slo.service}: {failure}")
        except CommandError as error:
            return Verdict(Result.UNDECIDED, f"{slo.service}: the last query failed ({error})")
        count = requests * WINDOW_SECONDS
        if count < MIN_CANARY_REQUESTS:
            return Verdict(
                Result.UNDECIDED,
                f"{slo.service}: {count:.0f} requests are measured in 5 minutes, and the gate "
                f"needs {MIN_CANARY_REQUESTS}",
            )
        return Verdict(
            Result.PASSED, f"{slo.service}: it meets the objective in {count:.0f} requests"
        )

    def _failure(self, client: ObservabilityClient, slo: Slo, sli: Sli, requests: float) -> str:
        key = (slo.service, sli)
        if key not in self._before:
            self._before[key] = single_value(client, slo.bad_ratio(WINDOW, sli), self._since)
        before = self._before[key]
        bad = single_value(client, slo.bad_requests(WINDOW, sli))
        found = regression(slo, sli, bad=bad, requests=requests, before=before)
        return found and f"{found}, and {before:.1%} of them did before the update"


@report_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Observe the services; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.fleet.slo_gate", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--since", type=float, required=True, help="Unix time before the update")
    options = parser.parse_args(arguments)
    settings = load(options.stack)
    environment = {**os.environ, **Prerequisites(settings).variables()}
    gate = SloGate(settings, environment, options.since)
    for line in gate.omitted():
        print(line)
    verdict = gate.observe(options.seconds)
    if verdict.result is not Result.PASSED:
        raise CommandError(
            f"gate: {verdict.reason}", FAILED if verdict.result is Result.FAILED else UNDECIDED
        )
    print(f"gate: {verdict.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
