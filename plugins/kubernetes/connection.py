"""The way from the provider's configuration to a cluster, taken while the program starts."""

import threading

from plugins.kubernetes.cluster import Cluster, Object, UnknownKindError, UnreachableError
from plugins.kubernetes.groups import is_own
from plugins.kubernetes.settings import Settings
from plugins.kubernetes.waiting import Observer
from plugins.server import PluginError
from plugins.values import Unknown, contains

# Kinds of Kubernetes itself that have no namespace, for previews without a cluster.
_CLUSTER_SCOPED = {
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


class Connection:
    """A cluster that may not answer: then previews go on without it, and all else fails."""

    def __init__(self, settings: Settings, agent: str, cancelled: threading.Event) -> None:
        self._settings = settings
        self._agent = agent
        self._cancelled = cancelled
        self._made: tuple[Cluster, Observer] | None = None
        self._problem = ""
        # The scope of the kinds that the program itself defines.
        self._defined: dict[tuple[str, str], bool] = {}
        self._thread = threading.Thread(target=self._connect, daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why the cluster is unreachable; empty if it is not."""
        self._thread.join()
        return self._problem

    @property
    def cluster(self) -> Cluster:
        """The cluster. Raises `UnreachableError`."""
        return self._required()[0]

    @property
    def observer(self) -> Observer:
        """What sees the cluster's objects. Raises `UnreachableError`."""
        return self._required()[1]

    @property
    def namespace(self) -> str:
        """Where a namespaced object goes that names no namespace."""
        if self.problem:
            return self._settings.namespace or "default"
        return self.cluster.namespace

    def if_it_can_tell(self, obj: Object) -> Cluster | None:
        """The cluster, unless it cannot be asked about an object yet.

        Because of a value that is not known, a kind that is not defined, or no answer.
        """
        if self.problem or contains(obj, Unknown):
            return None
        try:
            self.cluster.kind_of(obj)
        except UnknownKindError:
            return None
        return self.cluster

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Whether objects of a kind are in a namespace."""
        try:
            if not self.problem:
                return self.cluster.kind(api_version, kind).namespaced
        except UnknownKindError:
            pass
        if kind in _CLUSTER_SCOPED and is_own(api_version):
            return False
        # Most are; if this one is not, creating it will show.
        return self._defined.get((api_version.partition("/")[0], kind), True)

    def define(self, definition: Object) -> None:
        """Remember the kind that a CustomResourceDefinition of the program will define."""
        spec = definition.get("spec", {})
        key = (spec.get("group", ""), spec.get("names", {}).get("kind", ""))
        self._defined[key] = spec.get("scope") != "Cluster"

    def _required(self) -> tuple[Cluster, Observer]:
        if self.problem or not self._made:
            raise UnreachableError(f"configured Kubernetes cluster is unreachable: {self._problem}")
        return self._made

    def _connect(self) -> None:
        try:
            cluster = Cluster(self._settings.access(), self._agent)
            cluster.kind("v1", "Namespace")
            self._made = cluster, Observer(cluster, self._cancelled)
        except PluginError as problem:
            self._problem = str(problem)
        except Exception as problem:
            self._problem = f"{type(problem).__name__}: {problem}"
            raise
