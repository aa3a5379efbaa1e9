"""External secrets and secret stores of a namespace that fail, with the reason."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from commands import kubectl
from commands.control_characters import escape_control_characters
from commands.errors import CommandError
from components.labels import NAME_LABEL
from settings import EXTERNAL_SECRETS

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


def served_namespaces(
    namespace: str, environment: Mapping[str, str], context: str | None = None
) -> list[str]:
    """Return the other namespaces whose external secrets the controller of ``namespace`` reads.

    Those that have a controller of their own are left out. Empty if the cluster cannot be read.
    """

    def namespaces(kind: str, *options: str) -> set[str]:
        found = kubectl.get(
            *(kind, "--all-namespaces", *options), environment=environment, context=context
        )
        return {item["metadata"]["namespace"] for item in found["items"]}

    label = kubectl.label_selector({NAME_LABEL: EXTERNAL_SECRETS})
    try:
        secrets = namespaces(_KINDS.partition(",")[0])
        return sorted(secrets - namespaces("deployments", "--selector", label) - {namespace})
    except CommandError:
        return []


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
