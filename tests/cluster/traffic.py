"""Requests to the service through the ingress."""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import httpx

from tests.cluster.project import INGRESS_URL


def versions_of(host: str, requests: int) -> Counter[str]:
    """Send requests and count the responses by version."""
    seen: Counter[str] = Counter()
    with httpx.Client(base_url=INGRESS_URL, headers={"Host": host}, timeout=10) as client:
        for _ in range(requests):
            response = client.get("/")
            seen[response.headers.get("X-Version", str(response.status_code))] += 1
    return seen


class SteadyLoad:
    """Send ``rate`` requests per second to ``path`` from several clients until the block ends.

    ``failures`` are the errors and the responses without status 200. ``last_seen`` is the time of
    the last response of each version, by ``time.monotonic``.
    """

    def __init__(self, host: str, rate: float = 50, clients: int = 4, path: str = "/") -> None:
        self._host = host
        self._path = path
        self._interval = clients / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(clients)]
        self.failures: list[str] = []
        self.versions: Counter[str] = Counter()
        self.last_seen: dict[str, float] = {}

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=15)

    def _send(self) -> None:
        with httpx.Client(base_url=INGRESS_URL, headers={"Host": self._host}, timeout=10) as client:
            while not self._stop.is_set():
                started = time.monotonic()
                self._record(client)
                self._stop.wait(max(0.0, self._interval - (time.monotonic() - started)))

    def _record(self, client: httpx.Client) -> None:
        try:
            response = client.get(self._path)
        except httpx.HTTPError as error:
            with self._lock:
                self.failures.append(f"{type(error).__name__}: {error}")
            return
        version = response.headers.get("X-Version", "")
        with self._lock:
            if response.status_code != httpx.codes.OK or not version:
                self.failures.append(f"{response.status_code}: {response.text[:200]}")
            else:
                self.versions[version] += 1
                self.last_seen[version] = time.monotonic()
