"""Answers the engine's calls for Kubernetes objects."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from plugins.kubernetes import applying, diff, state
from plugins.kubernetes.cluster import ApiError, Object, UnknownKindError, UnreachableError
from plugins.kubernetes.connection import Connection
from plugins.kubernetes.readiness import is_judged_by_refresh
from plugins.kubernetes.settings import Settings, replacing, unsupported
from plugins.kubernetes.waiting import NotReadyError, Report
from plugins.provider import Provider, changed_keys, diff_response
from plugins.server import InitializationError, PluginError
from plugins.values import UNKNOWN, Unknown, contains, from_struct, reveal, to_struct

_PATIENCE = 600.0
"""Seconds to wait for an object, as Pulumi's own plugin does; `customTimeouts` says otherwise."""
_UNSUPPORTED = ("pulumi.com/replaceUnready", "pulumi.com/waitFor")
"""Annotations that ask for what is not done here."""
_IF_DELETED = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the"
    ' operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


class KubernetesProvider(Provider):
    """One provider resource: one cluster, as one user sees it."""

    _settings: Settings
    _connection: Connection

    def __init__(self, version: str, address: str = "") -> None:
        super().__init__(version, address)
        self._warned = threading.Lock()

    # The provider itself.

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        response = super().Handshake(request, context)
        response.supports_autonaming_configuration = True
        return response

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        failures = unsupported(reveal(from_struct(request.news)))
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[
                provider_pb2.CheckFailure(property=key, reason=reason)
                for key, reason in failures.items()
            ],
        )

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        old = from_struct(request.old_inputs if request.HasField("old_inputs") else request.olds)
        new = from_struct(request.news)
        return diff_response(changed_keys(old, new), replacing(old, new))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._settings = Settings.read(request.variables)
        agent = f"pulumi-kubernetes/{self.version}"
        self._connection = Connection(self._settings, agent, self.cancelled)
        response = super().Configure(request, context)
        response.supports_autonaming_configuration = True
        return response

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        raise PluginError(
            "this plugin knows any kind from the API server, and has no schema to generate code"
            " from: use `pulumi import --generate-code=false`, or the resource option `import_`"
        )

    # Its resources.

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Complete the inputs by what Pulumi decides: the name, and the namespace."""
        self._warn_once_if_unreachable()
        news = from_struct(request.news)
        obj = state.normalized(state.to_object(news))
        api_version, kind = _type_of(request.urn, obj)
        if wrong := [key for key in _UNSUPPORTED if state.annotation(obj, key)]:
            return provider_pb2.CheckResponse(
                inputs=request.news,
                failures=[
                    provider_pb2.CheckFailure(
                        property=diff.format_path(("metadata", "annotations", key)),
                        reason=f"the annotation {key} is not supported by this plugin",
                    )
                    for key in wrong
                ],
            )
        obj.setdefault("metadata", {})
        if obj["metadata"] is not UNKNOWN:
            obj = _named(obj, state.to_object(from_struct(request.olds)), request)
            if not state.namespace_of(obj) and self._connection.is_namespaced(api_version, kind):
                obj = state.in_namespace(obj, self._connection.namespace)
        if kind == "CustomResourceDefinition" and not contains(obj, Unknown):
            self._connection.define(obj)
        return provider_pb2.CheckResponse(inputs=to_struct(state.to_properties(obj, news)))

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Compare the new inputs with the object as it was last seen, where the program has a say.

        If they differ, a dry run tells what of it is only another way to write the same, and which
        fields cannot be changed.
        """
        olds, news = from_struct(request.olds), from_struct(request.news)
        live = state.live_of(olds)
        old, new = _comparable(live, state.inputs_of(olds), state.to_object(news))
        ignored = [diff.parse_path(path) for path in request.ignoreChanges]
        changed = diff.changes(old, new, ignored)
        is_mutable = self._settings.data_is_mutable(new.get("kind"))
        fixed = diff.force_new(new, data_is_mutable=is_mutable)
        replacing = [path for path in changed if diff.covered(path, fixed)]
        is_same = not any(diff.is_identity(path) for path in changed)
        if changed and is_same and (cluster := self._connection.if_it_can_tell(new)):
            manager = state.field_manager(olds, new, request.urn)
            try:
                applied = cluster.apply(
                    cluster.kind_of(new), new, manager, force=True, dry_run=True
                )
                changed = diff.changes(old, state.pruned(applied, new), ignored)
                replacing = [path for path in changed if diff.covered(path, fixed)]
            except ApiError as problem:
                # Any other refusal is for the update to report.
                replacing = replacing or diff.refused(problem, new, changed)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME
            if changed
            else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=[diff.format_path(path) for path in replacing],
            detailedDiff=diff.detailed(changed, replacing),
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replacing)
            and not state.is_autonamed(new)
            and state.name_of(new) == state.name_of(live)
            and state.namespace_of(new) == state.namespace_of(live),
        )

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        news = from_struct(request.properties)
        obj = state.to_object(news)
        manager = state.field_manager({}, obj, request.urn)
        if request.preview:
            live = None
            if cluster := self._connection.if_it_can_tell(obj):
                with _explained(f"{_title(obj)} cannot be created", news):
                    live = applying.preview_create(cluster, obj, manager)
            if live is None:
                return provider_pb2.CreateResponse(properties=request.properties)
            properties = state.checkpoint(news, live, obj["apiVersion"], manager)
            return provider_pb2.CreateResponse(properties=to_struct(properties))

        report = self._reporter(request.urn)
        with _explained(f"{_title(obj)} was not created", news):
            live = applying.create(
                self._connection.cluster,
                obj,
                manager,
                adopt=self._settings.adopt_existing,
                cancelled=self.cancelled,
                report=report,
            )

        def checkpoint(live: Object) -> dict[str, Any]:
            return state.checkpoint(news, live, obj["apiVersion"], manager)

        live = self._until_ready(
            "created", live, _seconds(request.timeout, obj), report, checkpoint
        )
        return provider_pb2.CreateResponse(
            id=state.id_of(live), properties=to_struct(checkpoint(live))
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        olds, news = from_struct(request.olds), from_struct(request.news)
        obj = state.normalized(state.to_object(news))
        manager = state.field_manager(olds, obj, request.urn)
        api_version = state.api_version_of(olds, obj)
        force = self._settings.force_conflicts

        def checkpoint(live: Object) -> dict[str, Any]:
            return state.checkpoint(news, live, api_version, manager)

        ignored = [diff.parse_path(path) for path in request.ignoreChanges]
        if request.preview:
            live = None
            if cluster := self._connection.if_it_can_tell(obj):
                with _explained(f"{_title(obj)} cannot be updated", news):
                    live = applying.preview_update(
                        cluster, obj, manager, ignored=ignored, force=force
                    )
            if live is None:
                return provider_pb2.UpdateResponse(properties=request.news)
            return provider_pb2.UpdateResponse(properties=to_struct(checkpoint(live)))

        with _explained(f"{_title(obj)} was not updated", news):
            live = applying.update(
                self._connection.cluster, obj, manager, ignored=ignored, force=force
            )
        report = self._reporter(request.urn)
        live = self._until_ready(
            "updated", live, _seconds(request.timeout, obj), report, checkpoint
        )
        return provider_pb2.UpdateResponse(properties=to_struct(checkpoint(live)))

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Refresh a resource, or import one: then there is no state yet."""
        olds, old_inputs = from_struct(request.properties), from_struct(request.inputs)
        inputs = state.normalized(state.to_object(old_inputs))
        is_known = bool(inputs.get("kind"))
        known = inputs if is_known else state.live_of(olds)
        api_version, kind_name = _type_of(request.urn, known)
        namespace, _, name = request.id.rpartition("/")
        try:
            cluster = self._connection.cluster
            kind = cluster.kind(known.get("apiVersion", api_version), kind_name)
        except UnreachableError as problem:
            self._accept_as_deleted(problem, request.urn)
            return provider_pb2.ReadResponse()
        except UnknownKindError:
            return provider_pb2.ReadResponse()
        live = cluster.get(kind, namespace or self._connection.namespace, name)
        if live is None:
            return provider_pb2.ReadResponse()

        shown = state.pruned(live, inputs) if is_known else state.read_inputs(live)
        news = state.to_properties(shown, old_inputs)
        manager = state.field_manager(olds, inputs, request.urn)
        properties = state.checkpoint(news, live, state.api_version_of(olds, live), manager)
        if is_known and is_judged_by_refresh(live):
            verdict, reasons = self._connection.observer.judge(live)
            if verdict.state != "ready":
                reasons = [f"{_title(live)} is not ready: {verdict.message}", *reasons]
                raise InitializationError(request.id, properties, reasons, news)
        return provider_pb2.ReadResponse(
            id=request.id, properties=to_struct(properties), inputs=to_struct(news)
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        olds = from_struct(request.properties)
        live, inputs = state.live_of(olds), state.inputs_of(olds)
        _type_of(request.urn, live)
        try:
            with _explained(f"{_title(live)} was not deleted", olds):
                remaining = applying.delete(self._connection.cluster, live, inputs)
        except UnreachableError as problem:
            self._accept_as_deleted(problem, request.urn)
            return Empty()
        if remaining and not applying.leaves_deletion(inputs):
            seconds = _seconds(request.timeout, inputs)
            try:
                observer = self._connection.observer
                observer.until_gone(remaining, seconds, self._reporter(request.urn))
            except NotReadyError as problem:
                raise PluginError(f"{_title(live)} is not deleted: {problem}") from problem
        return Empty()

    def _until_ready(
        self,
        done: str,
        live: Object,
        seconds: float,
        report: Report,
        checkpoint: Callable[[Object], Mapping[str, Any]],
    ) -> Object:
        try:
            live = self._connection.observer.until_ready(live, seconds, report)
        except (NotReadyError, PluginError) as problem:
            is_seen = isinstance(problem, NotReadyError)
            first, *reasons = problem.reasons if is_seen else [str(problem)]
            raise InitializationError(
                state.id_of(live),
                checkpoint(problem.live if is_seen else live),
                [f"{_title(live)} was {done}, but is not ready: {first}", *reasons],
            ) from problem
        report("")
        return live

    def _reporter(self, urn: str) -> Report:
        last = ""

        def report(message: str) -> None:
            nonlocal last
            if message != last:
                self.engine.status(message, urn)
                last = message

        return report

    def _warn_once_if_unreachable(self) -> None:
        if self._connection.problem and self._warned.acquire(blocking=False):
            self.engine.warning(
                "configured Kubernetes cluster is unreachable, so nothing is compared with it:"
                f" {self._connection.problem}"
            )

    def _accept_as_deleted(self, problem: UnreachableError, urn: str) -> None:
        if not self._settings.delete_unreachable:
            raise UnreachableError(f"{problem}. {_IF_DELETED}")
        self.engine.warning(f"{problem}; it is taken to be deleted", urn)


def _comparable(live: Object, old_inputs: Object, new_inputs: Object) -> tuple[Object, Object]:
    """The old and the new form of an object, as far as the program has or had a say in it."""
    new, shape = state.normalized(new_inputs), state.normalized(old_inputs)
    namespace = state.namespace_of(live)
    if "metadata" in new and new["metadata"] is not UNKNOWN:
        given = state.namespace_of(new) or "default"
        new = state.in_namespace(new, given if namespace else "")
    # Whatever the old inputs were, these say which object it is.
    identity = {"name": "", "namespace": ""}
    shape = {"apiVersion": "", "kind": "", **shape}
    shape["metadata"] = identity | (shape.get("metadata") or {})
    return state.pruned(live, shape), new


def _named(obj: Object, old: Object, request: provider_pb2.CheckRequest) -> Object:
    if state.name_of(obj):
        return obj
    if obj["metadata"].get("generateName"):
        raise PluginError("`metadata.generateName` is not supported; without a name one is made up")
    if old:
        return state.autoname(obj, state.name_of(old)) if state.is_autonamed(old) else obj
    if request.HasField("autonaming"):
        if request.autonaming.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE:
            raise PluginError("autonaming is disabled, so metadata.name must be set")
        return state.autoname(obj, request.autonaming.proposed_name)
    suffix = hashlib.sha256(request.randomSeed or os.urandom(8)).hexdigest()[:8]
    return state.autoname(obj, f"{_parts(request.urn)[3]}-{suffix}")


def _type_of(urn: str, obj: Object) -> tuple[str, str]:
    """The API version and the kind of a resource, by its URN.

    Raises `PluginError` if the resource is not the object but a patch of it, or a Helm release.
    """
    token = _parts(urn)[2].rpartition("$")[2]
    _, module, kind = token.split(":")
    group, _, version = module.partition("/")
    if group == "helm.sh" or (obj and obj.get("kind") != kind):
        raise PluginError(f"{token} is not supported by this plugin, only whole objects are")
    return (version if group == "core" else module), kind


def _parts(urn: str) -> list[str]:
    return urn.split("::", 3)


def _title(obj: Object) -> str:
    return f"{obj.get('kind')} {state.id_of(obj)}"


def _seconds(timeout: float, obj: Object) -> float:
    annotated = state.annotation(obj, "pulumi.com/timeoutSeconds")
    return timeout or (float(annotated) if annotated.isdecimal() else _PATIENCE)


@contextmanager
def _explained(what: str, inputs: Mapping[str, Any]) -> Iterator[None]:
    """Say of a refusal what it prevented, how to go on, and nothing that is secret."""
    try:
        yield
    except ApiError as problem:
        message = state.redacted(str(problem), inputs)
        raise PluginError(f"{what}: {message}{applying.conflict_help(problem)}") from problem
    except UnreachableError:
        raise
    except PluginError as problem:
        raise PluginError(f"{what}: {problem}") from problem
