"""Promotion gate: compares the SLIs of the canary's version with stable's."""

from collections.abc import Mapping

from commands.errors import FAILED, CommandError
from commands.observability_client import ObservabilityClient, monitored
from components.observability.queries import WINDOW_SECONDS
from components.observability.request_metrics import ProxyRequestMetrics
from components.observability.rules.canary_gate import (
    MIN_CANARY_REQUESTS,
    CanaryHealth,
    canary_health,
    canary_regression,
    canary_requests,
)
from settings import Service, Settings

_FORCE = "`make promote FORCE=1` promotes it without the gate"


def check(settings: Settings, service: Service, environment: Mapping[str, str]) -> None:
    """Compare the canary's version with stable and print the result.

    A stack without its own Prometheus and a service without an objective have no gate, which is
    printed. Raises :class:`CommandError` if the version is significantly worse than stable, if it
    is not measured, and if Prometheus cannot be queried: only the user may promote without a
    result.
    """
    canary, mode = service.release.canary, settings.observability.mode
    if canary is None:
        return
    (measured,) = monitored(settings, [service])
    slo = measured.slo
    if mode != "bundled" or slo is None:
        reason = f"observability.mode is {mode}" if mode != "bundled" else "slo is null"
        print(f"no promotion gate for {service.name} {canary.version}: {reason}")
        return
    name = f"{service.name} {canary.version}"
    try:
        with ObservabilityClient(settings, environment) as client:
            states = client.query(canary_health(slo, canary.version))
            regressions = client.query(canary_regression(slo, canary.version))
            requests = client.query(f"{canary_requests(slo, canary.version)} * {WINDOW_SECONDS}")
    except CommandError as error:
        raise CommandError(
            f"the promotion gate cannot query Prometheus ({error}): {_FORCE}", FAILED
        ) from None
    state = CanaryHealth(int(states[0].value)) if states else CanaryHealth.NOT_MEASURED
    count = requests[0].value if requests else 0
    match state:
        case CanaryHealth.UNHEALTHY:
            ratios = ", ".join(
                f"{one.value:.1%} by {one.labels.get('sli', '?')}" for one in regressions
            )
            raise CommandError(
                f"{name} misses the objective ({ratios}) and stable does not: "
                f"`make rollback` ends the canary; {_FORCE}",
                FAILED,
            )
        case CanaryHealth.HEALTHY:
            print(f"promotion gate: {name} meets the objective in {count:.0f} requests")
        case CanaryHealth.NOT_MEASURED:
            predecessor = (
                "; the proxy's requests are this version's from 5 minutes after the last pod of "
                "another version of the canary"
                if isinstance(measured.requests, ProxyRequestMetrics)
                else ""
            )
            raise CommandError(
                f"{name} is not measured: {count:.0f} requests of users in the last 5 minutes are "
                f"known to be its own, and the promotion gate needs {MIN_CANARY_REQUESTS} with "
                f"each indicator of the objective{predecessor}. Wait for more, or raise its "
                f"weight; {_FORCE}",
                FAILED,
            )
