"""Resource provider `random`: values that are generated once and kept in the stack's state.

Inputs, outputs, defaults and ids are those of pulumi-random, so that either provider can take over
a stack of the other. Any changed input replaces the resource. Functions, import, `RandomPet`,
`RandomShuffle` and the `seed` of a `RandomInteger` are not supported.
"""

import base64
import json
import secrets
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bcrypt
import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local.plugins.process import serve

Properties = dict[str, Any]

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that is known only after the update."""
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 # the protocol's mark of a secret value

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_BCRYPT_BYTES = 72
"""Length of the longest password that bcrypt accepts."""


@dataclass(frozen=True)
class Kind:
    """One type of resource."""

    required: tuple[str, ...]
    optional: Properties
    """Default of each optional input; `None` for an input without a default."""
    computed: tuple[str, ...]
    generate: Callable[[Properties], Properties]
    """Returns the computed outputs for the inputs; raises `ValueError` for inputs it refuses."""
    validate: Callable[[Properties], object] | None = None
    """Raises the errors of `generate`, where that takes long."""
    secret: tuple[str, ...] = ()
    """Outputs that are encrypted in the state."""
    schema_version: int = 0

    @property
    def inputs(self) -> list[str]:
        """Names of all inputs."""
        return sorted([*self.required, *self.optional, "keepers"])

    def check(self, inputs: Properties) -> None:
        """Raise `ValueError` if an input is missing, of the wrong type or out of range."""
        for key in self.required:
            if type(inputs.get(key)) is not int:
                raise ValueError(f"{key} must be an integer, got {inputs.get(key)!r}")
        for key in inputs:
            if key not in self.inputs:
                raise ValueError(f"{key} is not supported; inputs are {', '.join(self.inputs)}")
        (self.validate or self.generate)(self.with_defaults(inputs))

    def with_defaults(self, inputs: Properties) -> Properties:
        """Inputs as they are kept in the state."""
        full = self.optional | inputs
        if "numeric" in self.optional:
            # `number` is the deprecated name of `numeric`; the state has both.
            numeric = inputs.get("numeric", inputs.get("number", True))
            full |= {"numeric": numeric, "number": numeric}
        return {key: value for key, value in full.items() if value is not None}

    def state(self, outputs: Properties) -> Struct:
        """Outputs as they are kept in the state."""
        kept = {
            key: {_SIGNATURE: _SECRET, "value": value} if key in self.secret else value
            for key, value in outputs.items()
        }
        if self.schema_version:
            kept["__meta"] = f'{{"schema_version":"{self.schema_version}"}}'
        return _struct(kept)


def _password(inputs: Properties) -> Properties:
    result = _characters(inputs)
    digest = bcrypt.hashpw(result.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(10, b"2a"))
    return {"id": "none", "result": result, "bcryptHash": digest.decode()}


def _string(inputs: Properties) -> Properties:
    result = _characters(inputs)
    return {"id": result, "result": result}


def _characters(inputs: Properties) -> str:
    classes = {
        "Upper": string.ascii_uppercase,
        "Lower": string.ascii_lowercase,
        "Numeric": string.digits,
        "Special": inputs.get("overrideSpecial") or _SPECIAL,
    }
    minimum = {name: int(inputs[f"min{name}"]) for name in classes}
    allowed = "".join(classes[name] for name in classes if inputs[name.lower()])
    rest = inputs["length"] - sum(minimum.values())
    if inputs["length"] < 1 or rest < 0:
        least = max(1, sum(minimum.values()))
        raise ValueError(f"length must be at least {least}, got {inputs['length']}")
    if not allowed:
        raise ValueError("one of upper, lower, numeric and special must be true")
    chosen = [secrets.choice(classes[name]) for name in classes for _ in range(minimum[name])]
    chosen += [secrets.choice(allowed) for _ in range(rest)]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _id(inputs: Properties) -> Properties:
    if inputs["byteLength"] < 1:
        raise ValueError(f"byteLength must be at least 1, got {inputs['byteLength']}")
    value, prefix = secrets.token_bytes(inputs["byteLength"]), inputs.get("prefix", "")
    url = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return {
        "id": url,
        "b64Url": prefix + url,
        "b64Std": prefix + base64.standard_b64encode(value).decode(),
        "hex": prefix + value.hex(),
        "dec": prefix + str(int.from_bytes(value)),
    }


def _uuid(_: Properties) -> Properties:
    result = str(uuid.uuid4())
    return {"id": result, "result": result}


def _integer(inputs: Properties) -> Properties:
    if inputs["min"] > inputs["max"]:
        raise ValueError(f"min must be at most max ({inputs['max']}), got {inputs['min']}")
    result = secrets.SystemRandom().randint(inputs["min"], inputs["max"])
    return {"id": str(result), "result": result}


_CHARACTERS: Properties = {
    "lower": True,
    "minLower": 0,
    "minNumeric": 0,
    "minSpecial": 0,
    "minUpper": 0,
    "number": True,
    "numeric": True,
    "overrideSpecial": None,
    "special": True,
    "upper": True,
}

KINDS = {
    "random:index/randomPassword:RandomPassword": Kind(
        required=("length",),
        optional=_CHARACTERS,
        computed=("id", "result", "bcryptHash"),
        generate=_password,
        validate=_characters,
        secret=("result", "bcryptHash"),
        schema_version=3,
    ),
    "random:index/randomString:RandomString": Kind(
        required=("length",),
        optional=_CHARACTERS,
        computed=("id", "result"),
        generate=_string,
        schema_version=2,
    ),
    "random:index/randomId:RandomId": Kind(
        required=("byteLength",),
        optional={"prefix": None},
        computed=("id", "b64Url", "b64Std", "hex", "dec"),
        generate=_id,
    ),
    "random:index/randomUuid:RandomUuid": Kind(
        required=(), optional={}, computed=("id", "result"), generate=_uuid
    ),
    "random:index/randomInteger:RandomInteger": Kind(
        required=("min", "max"), optional={}, computed=("id", "result"), generate=_integer
    ),
}


class RandomProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Resources of `KINDS`. It takes no configuration."""

    def __init__(self, version: str) -> None:
        self._version = version

    def GetPluginInfo(self, request: Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        response = provider_pb2.CheckResponse(inputs=request.news)
        inputs = _properties(request.news)
        try:
            if request.type not in KINDS:
                raise ValueError(f"{request.type} is not supported; types are {', '.join(KINDS)}")
            if _UNKNOWN not in json.dumps(inputs):
                KINDS[request.type].check(inputs)
        except ValueError as error:
            response.failures.add(reason=str(error))
        return response

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        kind = KINDS[request.type]
        olds, news = map(kind.with_defaults, map(_properties, (request.olds, request.news)))
        # An empty input means the same as none.
        changed = [k for k in kind.inputs if (olds.get(k) or None) != (news.get(k) or None)]
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if changed else none, diffs=changed, replaces=changed
        )

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        kind = KINDS[request.type]
        inputs = kind.with_defaults(_properties(request.properties))
        if request.preview:
            planned = inputs | dict.fromkeys(kind.computed, _UNKNOWN)
            return provider_pb2.CreateResponse(properties=_struct(planned))
        outputs = kind.generate(inputs)
        return provider_pb2.CreateResponse(
            id=outputs["id"], properties=kind.state(inputs | outputs)
        )

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        if not request.properties.fields:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.type} cannot be imported")
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        return Empty()

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        return Empty()


def _properties(struct: Struct) -> Properties:
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in MessageToDict(struct).items()
    }


def _struct(properties: Properties) -> Struct:
    struct = Struct()
    struct.update(properties)
    return struct


def main(version: str) -> None:
    """Run the provider in the process that the engine has started."""
    provider = RandomProvider(version)
    serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
        stop=lambda: None,
    )
