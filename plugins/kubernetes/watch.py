"""The objects of one kind, kept current by one watch however many wait for them."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from plugins.kubernetes.cluster import ApiError, Cluster, Kind, Object
from plugins.kubernetes.state import name_of
from plugins.server import PluginError

_WATCH_SECONDS = 300  # then the API server ends a watch, and a new one begins
_PAUSE = 1.0  # seconds before the next attempt when the server has ended a watch by an error


class Collection:
    """The objects of a kind in a namespace, by the key that `Find` describes."""

    def __init__(self, cluster: Cluster, kind: Kind, namespace: str) -> None:
        self._cluster = cluster
        self._kind = kind
        self._namespace = namespace
        self._lock = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._watchers: dict[str | None, list[threading.Event]] = defaultdict(list)
        version = self._list()
        threading.Thread(target=self._follow, args=[version], daemon=True).start()

    def find(self, key: str | None = None) -> list[Object]:
        """The objects with a key; all of them without."""
        with self._lock:
            return [obj for obj in self._objects.values() if key in (None, _key(obj))]

    @contextmanager
    def announced(self, key: str | None, changed: threading.Event) -> Iterator[None]:
        """Set `changed` at every change of an object with this key; of any without."""
        with self._lock:
            self._watchers[key].append(changed)
        try:
            yield
        finally:
            with self._lock:
                self._watchers[key].remove(changed)

    def _list(self) -> str:
        answer = self._cluster.list_objects(self._kind, self._namespace)
        # The items of a list leave out what they have in common.
        common = {"apiVersion": self._kind.api_version, "kind": self._kind.name}
        objects = {item["metadata"]["uid"]: common | item for item in answer["items"] or []}
        with self._lock:
            self._objects = objects
            for watchers in self._watchers.values():
                for changed in watchers:
                    changed.set()
        return answer["metadata"]["resourceVersion"]

    def _follow(self, version: str) -> None:
        while True:
            try:
                for change in self._cluster.watch(
                    self._kind, self._namespace, version, _WATCH_SECONDS
                ):
                    if change["type"] == "ERROR":
                        raise ApiError(change["object"], change["object"].get("code", 0))
                    version = change["object"]["metadata"]["resourceVersion"]
                    self._note(change["type"], change["object"])
            except (PluginError, ValueError):
                time.sleep(_PAUSE)
                version = self._list_again() or version

    def _list_again(self) -> str:
        try:
            return self._list()
        except PluginError:
            return ""

    def _note(self, change: str, obj: Object) -> None:
        with self._lock:
            if change == "DELETED":
                self._objects.pop(obj["metadata"]["uid"], None)
            else:
                self._objects[obj["metadata"]["uid"]] = obj
            for changed in [*self._watchers[_key(obj)], *self._watchers[None]]:
                changed.set()


def _key(obj: Object) -> str:
    match obj["kind"]:
        case "EndpointSlice":
            return (obj["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        case "Event":
            return obj.get("involvedObject", {}).get("uid", "")
        case _:
            return name_of(obj)
