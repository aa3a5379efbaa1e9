"""Waiting for an object to be ready, or to be gone, and telling the user what it waits for."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from plugins.kubernetes.cluster import Cluster, Kind, Object, UnknownKindError
from plugins.kubernetes.readiness import Verdict, is_judged, problems, verdict
from plugins.kubernetes.state import annotation, name_of, namespace_of
from plugins.kubernetes.watch import Collection
from plugins.server import PluginError

_PATIENCE = 2.0
"""Seconds before the reasons are looked for: most objects are ready by then."""
_TICK = 1.0
"""Seconds after which it is looked again though no object has changed."""

Report = Callable[[str], None]
"""Shows the user what is going on."""


class NotReadyError(Exception):
    """An object exists but is not ready. `live` is its last known form."""

    def __init__(self, live: Object, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.live = live
        self.reasons = reasons


class Observer:
    """Sees all objects that others wait for, through one watch per kind and namespace."""

    def __init__(self, cluster: Cluster, cancelled: threading.Event) -> None:
        self._cluster = cluster
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._collections: dict[tuple[Kind, str], Collection] = {}

    def until_ready(self, obj: Object, seconds: float, report: Report) -> Object:
        """Wait, and return the object as it is when ready. Raises `NotReadyError`."""
        if not is_judged(obj) or annotation(obj, "pulumi.com/skipAwait") == "true":
            return obj
        with _Wait(self, obj, self._cancelled, seconds) as wait:
            was_seen = False
            while True:
                found = verdict(obj, wait.find)
                if found.state == "ready":
                    return obj
                seen = wait.current()
                if was_seen and not seen:
                    raise NotReadyError(obj, ["it was deleted meanwhile"])
                was_seen = bool(seen)
                # What was just applied may be newer than what the watch has brought.
                if seen and _version(seen) > _version(obj):
                    obj = seen
                    continue
                reasons = problems(obj, wait.find) if wait.elapsed() > _PATIENCE else []
                report("; ".join([found.message, *reasons]))
                ending = wait.ending()
                if found.state == "failed" or ending:
                    why = f"{found.message} ({ending})" if ending else found.message
                    raise NotReadyError(obj, [why, *problems(obj, wait.find)])
                wait.for_change()

    def until_gone(self, obj: Object, seconds: float, report: Report) -> None:
        """Wait for an object whose deletion was asked for. Raises `NotReadyError`."""
        with _Wait(self, obj, self._cancelled, seconds) as wait:
            while seen := wait.current():
                finalizers = ", ".join(seen["metadata"].get("finalizers") or [])
                conditions = seen.get("status", {}).get("conditions") or []
                blocking = [
                    condition["message"]
                    for condition in conditions
                    if condition.get("status") == "True" and seen["kind"] == "Namespace"
                ]
                message = "waiting for it to be gone" + (
                    f"; it has finalizers: {finalizers}" if finalizers else ""
                )
                report("; ".join([message, *blocking]))
                if ending := wait.ending():
                    raise NotReadyError(seen, [f"{message} ({ending})", *blocking])
                wait.for_change()

    def judge(self, obj: Object) -> tuple[Verdict, list[str]]:
        """Whether an object is ready at this moment, and if it is not, why."""
        with _Wait(self, obj, self._cancelled, 0) as wait:
            found = verdict(obj, wait.find)
            return found, [] if found.state == "ready" else problems(obj, wait.find)

    def collection(self, kind: Kind, namespace: str) -> Collection:
        """The objects of a kind in a namespace, watched from now on."""
        where = (kind, namespace if kind.namespaced else "")
        with self._lock:
            if where not in self._collections:
                self._collections[where] = Collection(self._cluster, *where)
            return self._collections[where]

    def kind(self, api_version: str, name: str) -> Kind:
        """A kind, as the cluster serves it."""
        return self._cluster.kind(api_version, name)


class _Wait(ExitStack):
    """One wait for one object: wakes when the object, or anything looked for, has changed."""

    def __init__(
        self, observer: Observer, obj: Object, cancelled: threading.Event, seconds: float
    ) -> None:
        super().__init__()
        self._observer = observer
        self._object = obj
        self._cancelled = cancelled
        self._seconds = seconds
        self._start = time.monotonic()
        self._changed = threading.Event()
        self._followed: set[tuple[str, str, str | None]] = set()

    def current(self) -> Object | None:
        """The object as it is now; None if it is gone."""
        obj, uid = self._object, self._object["metadata"].get("uid")
        try:
            found = self._look(obj["apiVersion"], obj["kind"], name_of(obj))
        except UnknownKindError:
            return None  # gone with its CustomResourceDefinition
        return next((item for item in found if item["metadata"]["uid"] == uid), None)

    def find(self, api_version: str, kind: str, key: str | None = None) -> list[Object]:
        """See `Find`. Nothing, if the user may not look."""
        try:
            return self._look(api_version, kind, key)
        except PluginError:
            return []

    def elapsed(self) -> float:
        """Seconds since the wait began."""
        return time.monotonic() - self._start

    def ending(self) -> str:
        """Why the wait must end now; empty if it need not."""
        if self._cancelled.is_set():
            return "interrupted"
        return f"after {self._seconds:g} s" if self.elapsed() >= self._seconds else ""

    def for_change(self) -> None:
        """Sleep until something has changed, a second at most."""
        self._changed.wait(min(_TICK, max(self._seconds - self.elapsed(), 0)))
        self._changed.clear()

    def _look(self, api_version: str, kind: str, key: str | None) -> list[Object]:
        collection = self._observer.collection(
            self._observer.kind(api_version, kind), namespace_of(self._object)
        )
        if (api_version, kind, key) not in self._followed:
            self._followed.add((api_version, kind, key))
            self.enter_context(collection.announced(key, self._changed))
        return collection.find(key)


def _version(obj: Object) -> int:
    # Comparable by Kubernetes' own word since 1.35 (KEP-5504), and in fact ever since etcd.
    return int(obj["metadata"]["resourceVersion"])
