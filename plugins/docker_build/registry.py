"""What buildx cannot do in a registry: delete."""

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from typing import Any

_TIMEOUT = 10.0  # seconds for one request


def delete_manifest(reference: str, login: str) -> None:
    """Delete `registry/name:tag@digest`, if the registry lets us; many never do, so it may not.

    `login` is `user:password`, or "" for none.
    """
    domain, _, rest = reference.partition("/")
    name = re.sub(r"(:[^:@/]+)?@.*", "", rest)
    digest = reference.partition("@")[2]
    local = domain.split(":")[0] in ("localhost", "127.0.0.1")
    url = f"{'http' if local else 'https'}://{domain}/v2/{name}/manifests/{digest}"
    basic = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    with suppress(OSError, ValueError):
        try:
            _request("DELETE", url, basic)
        except urllib.error.HTTPError as refused:
            challenge = refused.headers.get("WWW-Authenticate", "")
            if refused.code == 401 and challenge.startswith("Bearer "):  # noqa: PLR2004
                token = _token(challenge, basic)
                _request("DELETE", url, {"Authorization": f"Bearer {token}"})


def _token(challenge: str, basic: dict[str, str]) -> str:
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urllib.parse.urlencode(
        {key: asked[key] for key in ("service", "scope") if key in asked}
    )
    answer: dict[str, Any] = json.loads(_request("GET", f"{asked['realm']}?{query}", basic))
    return answer.get("token") or answer["access_token"]


def _request(method: str, url: str, headers: dict[str, str]) -> bytes:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 # http(s)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
        return response.read()
