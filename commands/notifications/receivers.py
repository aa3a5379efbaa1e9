"""Receivers of events, and their HTTP requests.

``urllib`` instead of slack_sdk: two kinds of POST requests need no further package.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from commands.notifications.event import Event
from commands.notifications.thread import ReleaseThread

TIMEOUT_SECONDS = 5
"""Of one request."""
TRIES = 2
_MAX_RESPONSE = 65536
"""Bytes of a response that are read."""


class ReceiverError(Exception):
    """A receiver did not get an event. The message has no URL and no token."""


class Receiver(Protocol):
    """Gets the events of a stack, one at a time."""

    name: str
    """For messages to the user."""

    def send(self, event: Event, thread: ReleaseThread) -> None:
        """Send one event. Raises :class:`ReceiverError`."""
        ...

    def close(self) -> None:
        """End what :meth:`send` has started. May be called while it runs."""
        ...


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: the other host would get the token."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_OPENER = build_opener(_NoRedirect)
"""Uses the proxy of the environment."""
_LOOPBACK_OPENER = build_opener(_NoRedirect, ProxyHandler({}))


def post(
    url: str, body: object, headers: Mapping[str, str] | None = None, *, is_loopback: bool = False
) -> str:
    """Send ``body`` as JSON, in at most :data:`TRIES` requests; return the response.

    ``is_loopback`` ignores the proxy of the environment. Raises :class:`ReceiverError`.
    """
    request = Request(  # noqa: S310  # the settings allow only http and https
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
    )
    opener, reason = _LOOPBACK_OPENER if is_loopback else _OPENER, ""
    for _ in range(TRIES):
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return response.read(_MAX_RESPONSE).decode(errors="replace")
        except HTTPError as error:
            error.close()
            reason = f"status {error.code}"
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        except (OSError, HTTPException, ValueError) as error:
            reason = _reason(error)
    raise ReceiverError(reason)


def _reason(error: Exception) -> str:
    """Cause of a failed request. The text of other errors than these may have the URL."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no response within {TIMEOUT_SECONDS} s"
    strerror = cause.strerror if isinstance(cause, OSError) else None
    return strerror or type(cause).__name__


class Webhook:
    """Any HTTP server: each event is the JSON body of a request."""

    name = "the webhook"

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, event: Event, thread: ReleaseThread) -> None:
        """Send one event. Raises :class:`ReceiverError`."""
        post(self._url, event.to_json())

    def close(self) -> None:
        """Nothing to end."""


class SlackWebhook:
    """Incoming webhook of Slack: a message for each event, not in threads."""

    name = "Slack"

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, event: Event, thread: ReleaseThread) -> None:
        """Send one event. Raises :class:`ReceiverError`."""
        post(self._url, {"text": slack_text(event)})

    def close(self) -> None:
        """Nothing to end."""


class SlackChannel:
    """Channel that a Slack app posts to: the events of a release are in one thread."""

    name = "Slack"

    def __init__(self, api_url: str, token: str, channel: str) -> None:
        self._url = f"{api_url.rstrip('/')}/chat.postMessage"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._channel = channel

    def send(self, event: Event, thread: ReleaseThread) -> None:
        """Send one event. Raises :class:`ReceiverError`."""
        message: dict[str, Any] = {"channel": self._channel, "text": slack_text(event)}
        if thread.slack_ts:
            message["thread_ts"] = thread.slack_ts
            # The end of a release is shown in the channel too.
            message["reply_broadcast"] = event.event in ("promotion", "rollback")
        response = _json(post(self._url, message, self._headers))
        if response.get("ok") is not True:
            raise ReceiverError(str(response.get("error", "not a response of Slack's Web API")))
        if not thread.slack_ts:
            thread.slack_ts = str(response.get("ts", ""))
            thread.save()

    def close(self) -> None:
        """Nothing to end."""


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def slack_text(event: Event) -> str:
    """Message in Slack's markup."""
    details = _escape(event.origin)
    if event.link:
        details += f"{' ' if details else ''}<{event.link}|details>"
    place = f" in {_escape(event.stack)}" if event.service else ""
    lines = [f"*{_escape(event.subject)}*{place}: {_escape(event.summary)}", details]
    return "\n".join(line for line in lines if line)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
