"""The `random` provider: values that are drawn once and then stay in the stack's state.

Inputs, outputs and the ids are those of pulumi-random, whose provider wraps Terraform's; so are
the defaults and the schema versions, which its state carries under `__meta`. There is nothing
outside the state: any changed input draws a new value in a new resource.
"""

import base64
import json
import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import bcrypt
import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from plugins.provider import Provider, changed_keys, diff_response
from plugins.server import PluginError
from plugins.values import UNKNOWN, Secret, Unknown, contains, from_struct, reveal, to_struct

Properties = dict[str, Any]

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"  # Terraform's default
_BCRYPT_BYTES = 72  # bcrypt reads no more of a password
_BCRYPT_COST = 10  # as Go's bcrypt.DefaultCost


@dataclass(frozen=True)
class Kind:
    """One type of resource: its inputs, and how its value comes to be."""

    required: tuple[str, ...]
    optional: Mapping[str, Any]
    """Input → default; without a default (`None`) the property is absent from the state."""
    computed: tuple[str, ...]
    draw: Callable[[Properties], Properties]
    """Inputs, defaults included → the computed outputs."""
    adopt: Callable[[str], Properties]
    """The id given to `pulumi import` → all outputs but the defaults."""
    problems: Callable[[Properties], list[tuple[str, str]]] = lambda _: []
    """Inputs, defaults included → pairs of property and reason."""
    secret: frozenset[str] = frozenset()
    schema_version: int = 0

    @property
    def inputs(self) -> set[str]:
        return {*self.required, *self.optional, "keepers"}

    def complete(self, inputs: Properties) -> Properties:
        """The inputs with their defaults, as they stand in the state."""
        full = {key: value for key, value in self.optional.items() if value is not None}
        full |= {key: value for key, value in inputs.items() if key in self.inputs}
        if "numeric" in self.optional:
            # `number` is the older name of `numeric`; the state holds both.
            numeric = inputs.get("numeric", inputs.get("number", True))
            full |= {"numeric": numeric, "number": inputs.get("number", numeric)}
        return {key: value for key, value in full.items() if value is not None}

    def substance(self, inputs: Properties) -> Properties:
        """What decides the value: an empty input says no more than an absent one."""
        return {key: value for key, value in self.complete(inputs).items() if value not in ("", {})}

    def state(self, outputs: Properties) -> Properties:
        """The outputs as they are kept: secrets marked, the schema version added."""
        kept = {
            key: Secret(value) if key in self.secret else value for key, value in outputs.items()
        }
        if self.schema_version:
            kept["__meta"] = json.dumps(
                {"schema_version": str(self.schema_version)}, separators=(",", ":")
            )
        return kept


def _characters(inputs: Properties) -> str:
    """Characters of the wanted classes, at least the wanted number of each, in any order."""
    classes = {
        "Upper": string.ascii_uppercase,
        "Lower": string.ascii_lowercase,
        "Numeric": string.digits,
        "Special": inputs.get("overrideSpecial") or _SPECIAL,
    }
    chosen = [
        secrets.choice(classes[name]) for name in classes for _ in range(inputs[f"min{name}"])
    ]
    allowed = "".join(classes[name] for name in classes if inputs[name.lower()])
    chosen += [secrets.choice(allowed) for _ in range(inputs["length"] - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _character_problems(inputs: Properties) -> list[tuple[str, str]]:
    minimum = sum(inputs[f"min{name}"] for name in ("Upper", "Lower", "Numeric", "Special"))
    if inputs["length"] < max(1, minimum):
        return [("length", f"must be at least {max(1, minimum)}, got {inputs['length']}")]
    if inputs["number"] != inputs["numeric"]:
        return [("number", "is the older name of numeric and must not differ from it")]
    if not any(inputs[name] for name in ("upper", "lower", "numeric", "special")):
        return [("numeric", "one of upper, lower, numeric and special must be true")]
    return []


def _draw_password(inputs: Properties) -> Properties:
    return _password(_characters(inputs))


def _password(result: str) -> Properties:
    digest = bcrypt.hashpw(result.encode()[:_BCRYPT_BYTES], bcrypt.gensalt(_BCRYPT_COST, b"2a"))
    return {"id": "none", "result": result, "bcryptHash": digest.decode()}


def _draw_string(inputs: Properties) -> Properties:
    result = _characters(inputs)
    return {"id": result, "result": result}


def _draw_id(inputs: Properties) -> Properties:
    return _id(secrets.token_bytes(inputs["byteLength"]), inputs.get("prefix", ""))


def _id(value: bytes, prefix: str) -> Properties:
    url = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return {
        "id": url,
        "b64Url": prefix + url,
        "b64Std": prefix + base64.standard_b64encode(value).decode(),
        "hex": prefix + value.hex(),
        "dec": prefix + str(int.from_bytes(value)),
    }


def _adopt_id(given: str) -> Properties:
    prefix, _, url = given.rpartition(",")
    value = base64.urlsafe_b64decode(url + "=" * (-len(url) % 4))
    return {"byteLength": len(value), "prefix": prefix, **_id(value, prefix)}


def _draw_uuid(_: Properties) -> Properties:
    return _uuid(str(uuid.uuid4()))


def _uuid(given: str) -> Properties:
    result = str(uuid.UUID(given))
    return {"id": result, "result": result}


def _draw_integer(inputs: Properties) -> Properties:
    result = secrets.SystemRandom().randint(inputs["min"], inputs["max"])
    return {"id": str(result), "result": result}


def _adopt_integer(given: str) -> Properties:
    result, low, high = map(int, given.split(","))
    return {"id": str(result), "result": result, "min": low, "max": high}


def _integer_problems(inputs: Properties) -> list[tuple[str, str]]:
    if inputs["min"] > inputs["max"]:
        return [("min", f"must be at most max ({inputs['max']}), got {inputs['min']}")]
    return []


def _byte_problems(inputs: Properties) -> list[tuple[str, str]]:
    if inputs["byteLength"] < 1:
        return [("byteLength", f"must be at least 1, got {inputs['byteLength']}")]
    return []


_CHARACTERS: Mapping[str, Any] = {
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

KINDS: Mapping[str, Kind] = {
    "random:index/randomPassword:RandomPassword": Kind(
        required=("length",),
        optional=_CHARACTERS,
        computed=("id", "result", "bcryptHash"),
        draw=_draw_password,
        adopt=lambda given: {"length": len(given), **_password(given)},
        problems=_character_problems,
        secret=frozenset({"result", "bcryptHash"}),
        schema_version=3,
    ),
    "random:index/randomString:RandomString": Kind(
        required=("length",),
        optional=_CHARACTERS,
        computed=("id", "result"),
        draw=_draw_string,
        adopt=lambda given: {"length": len(given), "id": given, "result": given},
        problems=_character_problems,
        schema_version=2,
    ),
    "random:index/randomId:RandomId": Kind(
        required=("byteLength",),
        optional={"prefix": None},
        computed=("id", "b64Url", "b64Std", "hex", "dec"),
        draw=_draw_id,
        adopt=_adopt_id,
        problems=_byte_problems,
    ),
    "random:index/randomUuid:RandomUuid": Kind(
        required=(), optional={}, computed=("id", "result"), draw=_draw_uuid, adopt=_uuid
    ),
    "random:index/randomInteger:RandomInteger": Kind(
        required=("min", "max"),
        optional={},
        computed=("id", "result"),
        draw=_draw_integer,
        adopt=_adopt_integer,
        problems=_integer_problems,
    ),
}


class RandomProvider(Provider):
    """Resources of `KINDS`."""

    accept_secrets = False

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        kind, inputs = _kind(request.type), from_struct(request.news)
        failures = [(key, "is required") for key in kind.required if inputs.get(key) is None]
        failures += [
            (key, f"is not an input here; those are {', '.join(sorted(kind.inputs))}")
            for key in sorted(inputs.keys() - kind.inputs)
        ]
        if not contains(inputs, Unknown):
            failures = failures or _wrong_types(kind, inputs)
            failures = failures or kind.problems(kind.complete(inputs))
        return provider_pb2.CheckResponse(
            inputs=request.news,
            failures=[
                provider_pb2.CheckFailure(property=key, reason=f"{key} {reason}")
                for key, reason in failures
            ],
        )

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        kind = _kind(request.type)
        olds, news = reveal(from_struct(request.olds)), from_struct(request.news)
        changed = changed_keys(kind.substance(olds), kind.substance(news))
        return diff_response(changed, replaces=changed)

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        kind = _kind(request.type)
        inputs = kind.complete(from_struct(request.properties))
        if request.preview:
            planned = inputs | dict.fromkeys(kind.computed, UNKNOWN)
            return provider_pb2.CreateResponse(properties=to_struct(planned))
        drawn = kind.draw(inputs)
        return provider_pb2.CreateResponse(
            id=drawn["id"], properties=to_struct(kind.state(inputs | drawn))
        )

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        if request.properties.fields:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        kind = _kind(request.type)
        try:
            adopted = kind.adopt(request.id)
        except ValueError as problem:
            raise PluginError(f"{request.id} is not the value of a {request.type}") from problem
        full = kind.complete(adopted)
        inputs = {key: value for key, value in full.items() if value != kind.optional.get(key)}
        computed = {key: adopted[key] for key in kind.computed}
        return provider_pb2.ReadResponse(
            id=adopted["id"],
            properties=to_struct(kind.state(full | computed)),
            inputs=to_struct(inputs),
        )

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        return Empty()


def _wrong_types(kind: Kind, inputs: Properties) -> list[tuple[str, str]]:
    samples = {**dict.fromkeys(kind.required, 0), **kind.optional}
    names = {bool: "true or false", int: "a whole number"}
    return [
        (key, f"must be {names[type(sample)]}, got {inputs[key]}")
        for key, sample in samples.items()
        if type(sample) in names and key in inputs and type(inputs[key]) is not type(sample)
    ]


def _kind(token: str) -> Kind:
    if token not in KINDS:
        raise PluginError(f"{token} is not among the resources of this plugin: {', '.join(KINDS)}")
    return KINDS[token]


def main(version: str) -> None:
    """Run the provider as a plugin process."""
    RandomProvider.main(version)
