"""The calls of the engine. Every change is an update that builds again; nothing is replaced."""

import json
import os
import re
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from plugins.docker_build import buildx
from plugins.docker_build.context import context_hash
from plugins.docker_build.inputs import (
    changes,
    complete,
    shape_problems,
    value_problems,
    with_digest,
    with_secrets,
)
from plugins.docker_build.registry import delete_manifest
from plugins.provider import Provider
from plugins.server import PluginError
from plugins.values import UNKNOWN, Unknown, contains, from_struct, reveal, to_struct

Properties = dict[str, Any]

_IMAGE = "docker-build:index:Image"


class DockerBuildProvider(Provider):
    """The resource `docker-build:index:Image`."""

    # The engine then marks in the state whatever is secret among the inputs.
    accept_secrets = False

    def __init__(self, version: str, address: str = "") -> None:
        super().__init__(version, address)
        self._buildx = buildx.Buildx()
        self._registries: list[Properties] = []

    def cancel(self) -> None:
        super().cancel()
        self._buildx.cancel()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        # Pulumi's own provider keeps these, and takes one that lacks them for another provider.
        host = os.environ.get("DOCKER_HOST", "")
        inputs = {"host": host} | from_struct(request.news)
        if (reveal(inputs["host"]) or "") not in ("", host):
            reason = "host is not supported by this plugin: set DOCKER_HOST, or name a builder"
            failure = provider_pb2.CheckFailure(property="host", reason=reason)
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        if given := inputs.get("registries"):
            # The SDK sends what is nested in a provider's inputs as a text.
            given = json.loads(given) if isinstance(given, str) else given
            inputs |= with_secrets({"registries": complete({"registries": given})["registries"]})
        return provider_pb2.CheckResponse(inputs=to_struct(inputs))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._registries = reveal(from_struct(request.args)).get("registries") or []
        return super().Configure(request, context)

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        if request.type != _IMAGE:
            raise PluginError(f"{request.type} is not a resource of this plugin; it has {_IMAGE}")
        given = from_struct(request.news)
        problems = shape_problems(given) or value_problems(complete(given))
        if not problems:
            checked = to_struct(with_secrets(complete(given)))
            return provider_pb2.CheckResponse(inputs=checked)
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[
                provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in problems
            ],
        )

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        olds, news = reveal(from_struct(request.olds)), complete(from_struct(request.news))
        changed = changes(complete(olds), news)
        # Base images move on, so with `pull` an exported image is built each time.
        exported = bool(news.get("exports")) or news["push"] or news["load"]
        if (news["pull"] and exported) or _hash(news) != olds.get("contextHash"):
            changed.append("contextHash")
        update = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.UPDATE)
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if changed else none,
            diffs=sorted({key.split(".")[0] for key in changed}),
            detailedDiff=dict.fromkeys(changed, update),
            hasDetailedDiff=True,
        )

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        state = self._build(from_struct(request.properties), request.urn, preview=request.preview)
        known = isinstance(state["digest"], str) and state["digest"]
        return provider_pb2.CreateResponse(
            id=state["digest"] if known else request.name, properties=to_struct(state)
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        state = self._build(from_struct(request.news), request.urn, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=to_struct(state))

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Ask the registry for the image. If it is gone, the next update builds it again."""
        state = reveal(from_struct(request.properties))
        inputs = self._with_logins(reveal(from_struct(request.inputs)))
        as_it_was = provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )
        references = {tag: with_digest(tag, state["digest"]) for tag in state.get("tags", [])}
        if not _pushed(state) or not any(references.values()):
            return as_it_was
        kept = []
        for tag, reference in references.items():
            try:
                if not reference or buildx.manifest(reference, inputs) is not None:
                    kept.append(tag)
                else:
                    self.engine.warning(f"{reference} is no longer in its registry", request.urn)
            except PluginError as problem:
                self.engine.warning(f"cannot look for {reference}: {problem}", request.urn)
                return as_it_was
        if not kept:
            return provider_pb2.ReadResponse()
        as_it_was.properties.update({"tags": kept})
        return as_it_was

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        state = self._with_logins(reveal(from_struct(request.properties)))
        for tag in state.get("tags", []):
            if reference := with_digest(tag, state["digest"]):
                delete_manifest(reference, buildx.login(reference.split("/")[0], state))
        return Empty()

    def _with_logins(self, inputs: Properties) -> Properties:
        """The inputs with the provider's own registries, over which the image's win."""
        return inputs | {"registries": [*self._registries, *inputs.get("registries", [])]}

    def _build(self, given: Properties, urn: str, *, preview: bool) -> Properties:
        inputs = complete(given)
        planned = inputs | dict.fromkeys(("contextHash", "digest", "ref"), UNKNOWN)
        if preview and inputs["buildOnPreview"] is False:
            return planned
        if contains(inputs, Unknown):
            self.engine.warning("not built in this preview: some inputs are not known yet", urn)
            return planned
        if not (inputs["push"] or inputs["load"] or inputs.get("exports")):
            self.engine.warning("neither push nor exports: the image stays in the builder", urn)
        try:
            digest = self._buildx.build(
                self._with_logins(inputs),
                push=not preview,
                status=lambda line: self.engine.status(line, urn),
            )
        finally:
            self.engine.status("", urn)
        if preview:
            return planned
        tags = inputs.get("tags", [])
        references = [reference for tag in tags if (reference := with_digest(tag, digest))]
        return inputs | {
            "contextHash": _hash(inputs),
            "digest": digest,
            "ref": next(iter([*references, *tags]), ""),
        }


def _hash(inputs: Properties) -> str | None:
    """The hash of the build context, or `None` while its place is not known."""
    context, dockerfile = inputs["context"], inputs["dockerfile"]
    if contains([context, dockerfile], Unknown):
        return None
    named = {name: item["location"] for name, item in context.get("named", {}).items()}
    try:
        return context_hash(context["location"], dockerfile["location"], named)
    except (OSError, ValueError) as problem:
        raise PluginError(f"the build context cannot be read: {problem}") from problem


def _pushed(state: Properties) -> bool:
    """Whether the build pushed the image to a registry."""
    if not state.get("digest"):
        return False
    texts = [buildx.entry_text("exports", entry) for entry in state.get("exports", [])]
    return bool(state.get("push")) or any(
        re.search(r"type=registry\b(?!.*push=false)|type=image\b.*push=true", text)
        for text in texts
    )


def main(version: str) -> None:
    """Run the provider as a plugin process."""
    DockerBuildProvider.main(version)
