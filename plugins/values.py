"""Property values as they travel between the engine and a plugin.

The engine sends properties as `google.protobuf.Struct`. Plain JSON values map to themselves; what
JSON cannot say, the protocol writes as an object with a signature, or as a reserved string. Here a
secret is `Secret(value)`, a value not known before the update is `UNKNOWN`, and everything else is
plain Python.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct, Value

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 # a signature, the same everywhere
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One reserved string per type the value will have; only the first is ever sent by us.
_UNKNOWNS: Final = {
    _UNKNOWN,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""A value that exists only after the update; seen during a preview."""


@dataclass(frozen=True)
class Secret:
    """A value the engine encrypts in the state and masks in its output."""

    value: Any

    def __repr__(self) -> str:
        return "Secret([secret])"


def from_struct(struct: Struct) -> dict[str, Any]:
    """The properties in a message. Whole numbers come as `int`, all others as `float`."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Any]) -> Struct:
    """The message for these properties. Raises `TypeError` for a value it cannot carry."""
    struct = Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value)
    return struct


def reveal(value: Any) -> Any:
    """The same value with every `Secret` in it unwrapped."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def contains(value: Any, kind: type) -> bool:
    """Whether a `kind` (`Unknown` or `Secret`) is anywhere in the value."""
    if isinstance(value, kind):
        return True
    if isinstance(value, Secret):
        return contains(value.value, kind)
    if isinstance(value, Mapping):
        return any(contains(item, kind) for item in value.values())
    if isinstance(value, list):
        return any(contains(item, kind) for item in value)
    return False


def _from_value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            text = value.string_value
            return UNKNOWN if text in _UNKNOWNS else text
        case "struct_value":
            return _from_object(value.struct_value)
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _from_object(struct: Struct) -> Any:
    properties = from_struct(struct)
    match properties.get(_SIGNATURE):
        case value if value == _SECRET:
            return Secret(properties.get("value"))
        case value if value == _OUTPUT:
            inner = properties.get("value", UNKNOWN)
            return Secret(inner) if properties.get("secret") else inner
        case _:
            return properties


def _fill(target: Value, value: Any) -> None:
    if value is None:
        target.null_value = 0  # type: ignore[assignment] # the enum's only value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Unknown):
        target.string_value = _UNKNOWN
    elif isinstance(value, Secret):
        target.struct_value.fields[_SIGNATURE].string_value = _SECRET
        _fill(target.struct_value.fields["value"], value.value)
    elif isinstance(value, Mapping):
        # An empty object must be sent as an object, not as a value that is not set.
        target.struct_value.SetInParent()
        for key, item in value.items():
            _fill(target.struct_value.fields[key], item)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for item in value:
            _fill(target.list_value.values.add(), item)
    else:
        raise TypeError(f"a {type(value).__name__} cannot be a property value")
