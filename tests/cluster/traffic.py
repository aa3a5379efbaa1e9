"""Requests to the service through the ingress."""

from collections import Counter

import httpx

from commands.load import Load
from tests.cluster.project import INGRESS_URL


def versions_of(host: str, requests: int, timeout: float = 10) -> Counter[str]:
    """Send requests, one after the other, and count the responses by version.

    A request fails after ``timeout`` seconds.
    """
    seen: Counter[str] = Counter()
    with httpx.Client(base_url=INGRESS_URL, headers={"Host": host}, timeout=timeout) as client:
        for _ in range(requests):
            response = client.get("/")
            seen[response.headers.get("X-Version", str(response.status_code))] += 1
    return seen


def steady_load(host: str, rate: int = 25, path: str = "/", timeout: float = 10) -> Load:
    """Load of ``rate`` requests per second until the block ends.

    A request fails after ``timeout`` seconds.
    """
    return Load(f"{INGRESS_URL}{path}", rate, {"Host": host}, timeout=timeout)
