"""What the service level objective says of a canary before it gets every request."""

from collections.abc import Mapping

from commands.errors import FAILED, CommandError
from commands.monitoring import Monitoring, scope_of
from components.observability.slo import CanaryHealth
from settings import Settings

_FORCE = "`make promote FORCE=1` promotes it all the same"


def verdict(settings: Settings, environment: Mapping[str, str]) -> str | None:
    """What the gate says of the canary, as a line; ``None`` where no server keeps the objective.

    Raises :class:`CommandError` for a canary that is clearly worse than stable, and where the
    servers cannot be asked: a promotion in the dark is somebody's decision, not a default.
    """
    if settings.observability.mode != "bundled" or not settings.service.metrics:
        return None
    gate = scope_of(settings).slo.canary_gate
    try:
        with Monitoring(settings, environment) as monitoring:
            states = monitoring.now(gate.state)
            worse = monitoring.now(gate.regression)
    except CommandError as error:
        raise CommandError(
            f"the canary's gate cannot be asked ({error}): {_FORCE}", FAILED
        ) from None
    state = CanaryHealth(int(states[0].value)) if states else CanaryHealth.NOT_ENOUGH_DATA
    match state:
        case CanaryHealth.UNHEALTHY:
            shares = ", ".join(f"{one.value:.1%} by {one.labels.get('sli', '?')}" for one in worse)
            raise CommandError(
                f"the canary misses the objective ({shares}) where stable does not: "
                f"`make rollback` ends it; {_FORCE}",
                FAILED,
            )
        case CanaryHealth.HEALTHY:
            return "gate: the canary keeps the objective"
        case CanaryHealth.NOT_ENOUGH_DATA:
            return "gate: too few requests reached the canary to judge it"
