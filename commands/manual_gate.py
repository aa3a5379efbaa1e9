"""Manual gates of a progressive release, which Flagger's load tester keeps."""

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from commands.errors import FAILED, CommandError
from commands.flagger_canary import CanaryState
from commands.port_forward import PortForward
from components.observability.addresses import Address

TIMEOUT_SECONDS = 10
_HTTP_PORT = 80


@contextmanager
def opened(
    state: CanaryState, kubectl: Sequence[str], environment: Mapping[str, str]
) -> Iterator[None]:
    """Open the gates of a Canary, and close them at the end.

    The load tester has one gate for all steps of a Canary, so an open one would also pass the next
    release. ``kubectl`` is the command with its context and namespace. Raises
    :class:`CommandError` if the Canary has no gate, or if the load tester does not respond.
    """
    metadata = state.canary["metadata"]
    forward = PortForward(_load_tester(state), kubectl, environment)
    body = json.dumps({"name": metadata["name"], "namespace": metadata["namespace"]})
    try:
        _post(forward, "/gate/open", body)
        try:
            yield
        finally:
            _post(forward, "/gate/close", body)
    finally:
        forward.end()


def _load_tester(state: CanaryState) -> Address:
    for webhook in state.canary["spec"].get("analysis", {}).get("webhooks") or ():
        if webhook["type"].startswith("confirm-"):
            url = urlsplit(webhook["url"])
            name = (url.hostname or "").partition(".")[0]
            return Address(name, url.port or _HTTP_PORT)
    raise CommandError(f"{state.canary['metadata']['name']} has no manual gate")


def _post(forward: PortForward, path: str, body: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", forward.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except OSError as error:
        raise CommandError(f"the load tester does not respond: {error}", FAILED) from None
    finally:
        connection.close()
    if status >= HTTPStatus.BAD_REQUEST:
        raise CommandError(f"the load tester responds with status {status} to {path}", FAILED)
