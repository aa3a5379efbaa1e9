"""Events of the Pulumi engine, which ``--event-log`` writes."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ENABLES_EVENT_LOG: Mapping[str, str] = {"PULUMI_DEBUG_COMMANDS": "true"}
"""Environment variables that enable ``--event-log``, as Pulumi's Automation API does."""


def read_events(log: Path) -> list[dict[str, Any]]:
    """Return the events in a file; none if Pulumi has not written it."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def resource_changes(events: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the number of resources by operation, such as ``create``."""
    return {
        operation: count
        for event in events
        for operation, count in event.get("summaryEvent", {}).get("resourceChanges", {}).items()
    }
