"""Promotion gate: compares the canary's SLIs with stable's."""

from collections.abc import Mapping

from commands.errors import FAILED, CommandError
from commands.observability_client import ObservabilityClient, slo_of
from components.observability.slo import CanaryHealth
from settings import Service, Settings

_FORCE = "`make promote FORCE=1` promotes it without the gate"


def check(settings: Settings, service: Service, environment: Mapping[str, str]) -> None:
    """Compare canary and stable and print the result; nothing if the stack has no Prometheus.

    Raises :class:`CommandError` if the canary is significantly worse than stable, and if Prometheus
    cannot be queried: only the user may promote without a result.
    """
    if settings.observability.mode != "bundled" or not service.metrics:
        return
    slo = slo_of(settings, service)
    try:
        with ObservabilityClient(settings, environment) as client:
            states = client.query(slo.canary_health)
            regressions = client.query(slo.canary_regression)
    except CommandError as error:
        raise CommandError(
            f"the promotion gate cannot query Prometheus ({error}): {_FORCE}", FAILED
        ) from None
    state = CanaryHealth(int(states[0].value)) if states else CanaryHealth.NOT_ENOUGH_DATA
    match state:
        case CanaryHealth.UNHEALTHY:
            ratios = ", ".join(
                f"{one.value:.1%} by {one.labels.get('sli', '?')}" for one in regressions
            )
            raise CommandError(
                f"the canary misses the objective ({ratios}) and stable does not: "
                f"`make rollback` ends the canary; {_FORCE}",
                FAILED,
            )
        case CanaryHealth.HEALTHY:
            print("promotion gate: the canary meets the objective")
        case CanaryHealth.NOT_ENOUGH_DATA:
            print("promotion gate: too few requests to the canary to compare it with stable")
