"""``python -m commands.notify``: tell a Slack channel how something ended.

The webhook is the variable SLACK_WEBHOOK_URL; without it nobody is told, and that is no error.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import Request, urlopen

from commands.errors import FAILED

VARIABLE = "SLACK_WEBHOOK_URL"
TRIES = 3


def send(webhook: str, text: str) -> str | None:
    """Post the text; return what went wrong, without the webhook's address."""
    body = json.dumps({"text": text}).encode()
    problem = "it is no https:// address"
    for _ in range(TRIES if webhook.startswith("https://") else 0):
        request = Request(webhook, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urlopen(request, timeout=10):  # noqa: S310  # https only, see above
                return None
        except URLError as error:
            problem = str(error.reason)
        except (OSError, HTTPException, ValueError) as error:
            # Its text may have the address, which is a secret.
            problem = type(error).__name__
    return problem


def main(arguments: Sequence[str] | None = None) -> int:
    """Send one message; return the exit code."""
    parser = argparse.ArgumentParser(prog="commands.notify", description=__doc__)
    parser.add_argument("--text", required=True)
    given = parser.parse_args(arguments)
    webhook = os.environ.get(VARIABLE)
    if not webhook:
        print(f"{VARIABLE} is not set: nobody is told")
        return 0
    if problem := send(webhook, given.text):
        print(f"error: Slack was not told: {problem}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
