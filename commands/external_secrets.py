"""External secrets and secret stores of a namespace that fail, with the reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands import kubectl
from commands.control_characters import escape_control_characters
from commands.errors import CommandError

_KINDS = "externalsecrets.external-secrets.io,secretstores.external-secrets.io"
_NOT_CHECKED = "it was not checked yet: is External Secrets running?"


def failures(
    namespace: str, environment: Mapping[str, str], context: str | None = None
) -> Iterator[str]:
    """Yield a line for each object that is not ready, such as ``ExternalSecret/shop-key: …``.

    The reason is in its last event: the condition says only that it fails. Raises
    :class:`CommandError` as :func:`kubectl.get`.
    """

    def get(*arguments: str) -> Sequence[Mapping[str, Any]]:
        options = ("--namespace", namespace)
        return kubectl.get(*arguments, *options, environment=environment, context=context)["items"]

    try:
        items = get(_KINDS)
    except CommandError as error:
        if "doesn't have a resource type" in str(error):
            return  # the stack with its first secret store is not deployed yet
        raise
    failed = [(item, ready) for item in items if (ready := _ready(item))["status"] != "True"]
    events = get("events", "--field-selector", "type=Warning") if failed else ()
    for item, ready in failed:
        kind, name = item["kind"], item["metadata"]["name"]
        reason = _last_message(events, kind, name) or ready.get("message") or _NOT_CHECKED
        yield escape_control_characters(f"{kind}/{name}: {reason}")


def _ready(item: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = item.get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == "Ready"), {"status": "Unknown"})


def _last_message(events: Sequence[Mapping[str, Any]], kind: str, name: str) -> str:
    of_object = [
        one
        for one in events
        if (one["involvedObject"]["kind"], one["involvedObject"]["name"]) == (kind, name)
    ]
    last = max(of_object, key=lambda one: one.get("lastTimestamp") or "", default={})
    return str(last.get("message", ""))
