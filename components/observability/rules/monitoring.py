"""Whether the monitoring itself can be relied on."""

from components.observability.rule import Alert, Group


def groups() -> tuple[Group, ...]:
    """All of them."""
    return (
        Group(
            "monitoring-heartbeat",
            (
                Alert(
                    "Watchdog",
                    "none",
                    "vector(1)",
                    "Alerting works",
                    "Always firing: whoever no longer hears it knows that alerting has stopped.",
                ),
            ),
        ),
    )
