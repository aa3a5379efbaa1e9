"""What the engine keeps of an object, in the shape that Pulumi's own plugin gives it.

The inputs are the object as the program wrote it. The state is the object as the API server has it
and, beside its fields, what the next operation must know: the inputs under `__inputs`, the API
version it was made with, and the name under which its fields are owned.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from plugins.kubernetes.cluster import Object
from plugins.values import UNKNOWN, Secret, Unknown, contains, reveal

_INPUTS = "__inputs"
_API_VERSION = "__initialApiVersion"
_FIELD_MANAGER = "__fieldManager"
_AUTONAMED = "pulumi.com/autonamed"
_READ_ONLY = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
# Schemas of a CustomResourceDefinition have fields that are no identifiers in every language.
_DASHED = {
    f"x_kubernetes_{name.replace('-', '_')}": f"x-kubernetes-{name}"
    for name in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
}
_UNDERSCORED = {dashed: underscored for underscored, dashed in _DASHED.items()}
_SHORTEST_SECRET = 4
"""A shorter value would black out half of any message."""


def to_object(properties: Mapping[str, Any]) -> Object:
    """The object in some inputs: no secret wrappers, no nulls, the field names of the API."""
    return _renamed(_without_nulls(reveal(properties)), _DASHED)


def normalized(obj: Object) -> Object:
    """An input object in the form that the API server gives back, where the two differ.

    Unchanged if it has unknown values.
    """
    obj = {**obj}
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        obj["metadata"] = {key: metadata[key] for key in metadata if key not in _READ_ONLY}
    if contains(obj, Unknown):
        return obj
    match obj.get("apiVersion"), obj.get("kind"):
        case "v1", "Secret":
            plain = obj.pop("stringData", None) or {}
            encoded = {key: _base64(value) for key, value in plain.items()}
            if "data" in obj or encoded:
                given = {key: _reencoded(value) for key, value in (obj.get("data") or {}).items()}
                obj["data"] = given | encoded
        case "apiextensions.k8s.io/v1", "CustomResourceDefinition":
            obj.pop("status", None)
            if obj.get("spec", {}).get("preserveUnknownFields") is False:
                obj["spec"] = {
                    key: obj["spec"][key] for key in obj["spec"] if key != "preserveUnknownFields"
                }
    return obj


def to_properties(obj: Object, like: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an object, secret wherever the properties `like` are, and in a Secret."""
    return _with_secrets(_renamed(obj, _UNDERSCORED), like)


def checkpoint(
    inputs: Mapping[str, Any], live: Object, api_version: str, manager: str
) -> dict[str, Any]:
    """The state of a live object that was made from these inputs."""
    return {
        **to_properties(live, inputs),
        _INPUTS: to_properties(to_object(inputs), inputs),
        _API_VERSION: api_version,
        _FIELD_MANAGER: manager,
    }


def inputs_of(state: Mapping[str, Any]) -> Object:
    """The inputs in a state."""
    return to_object(state.get(_INPUTS) or {})


def live_of(state: Mapping[str, Any]) -> Object:
    """The object in a state, as the API server last showed it."""
    own = (_INPUTS, _API_VERSION, _FIELD_MANAGER)
    return to_object({key: value for key, value in state.items() if key not in own})


def api_version_of(state: Mapping[str, Any], obj: Object) -> str:
    """The API version the object was made with; its present one if the state does not say."""
    return state.get(_API_VERSION) or obj.get("apiVersion", "")


def field_manager(state: Mapping[str, Any], obj: Object, urn: str) -> str:
    """The name under which a resource owns the fields it sets.

    The name in the state, if there is one, is that of Pulumi's own plugin, which draws it by lot. A
    new one follows from the URN, so that an object whose creation was cut short, before the engine
    could note it, is adopted under the name that owns its fields.
    """
    given = annotation(obj, "pulumi.com/patchFieldManager") or state.get(_FIELD_MANAGER)
    return given or f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


def annotation(obj: Object, key: str) -> str:
    """An annotation's value; empty if there is none, or none yet."""
    value = _metadata(obj, "annotations").get(key)
    return value if isinstance(value, str) else ""


def is_autonamed(obj: Object) -> bool:
    """Whether the object's name was not chosen by the program."""
    return annotation(obj, _AUTONAMED) == "true"


def autoname(obj: Object, name: str) -> Object:
    """The same object under a name that the program did not choose, and marked so."""
    metadata = {**obj.get("metadata", {}), "name": name}
    if metadata.get("annotations") is not UNKNOWN:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
    return {**obj, "metadata": metadata}


def in_namespace(obj: Object, namespace: str) -> Object:
    """The same object in a namespace; in none if that is empty."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    return {**obj, "metadata": metadata | ({"namespace": namespace} if namespace else {})}


def name_of(obj: Object) -> Any:
    """The object's name; perhaps unknown, None if it has none."""
    return _metadata(obj).get("name")


def namespace_of(obj: Object) -> Any:
    """The object's namespace; perhaps unknown, empty if it has none."""
    return _metadata(obj).get("namespace") or ""


def id_of(obj: Object) -> str:
    """The resource's id: `namespace/name`, or the name alone."""
    return "/".join(filter(None, (namespace_of(obj), name_of(obj))))


def read_inputs(live: Object) -> Object:
    """The inputs that would make an object which no program made: all but what the server sets."""
    inputs = normalized({key: value for key, value in live.items() if key != "status"})
    annotations = dict(inputs["metadata"].get("annotations") or {})
    for key in (
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
    ):
        annotations.pop(key, None)
    metadata = {key: value for key, value in inputs["metadata"].items() if key != "annotations"}
    inputs["metadata"] = metadata | ({"annotations": annotations} if annotations else {})
    return inputs


def pruned(value: Any, shape: Any) -> Any:
    """A value without what is not in the shape, as far as both are objects or lists."""
    if isinstance(value, dict) and isinstance(shape, dict):
        return {key: pruned(value[key], shape[key]) for key in value if key in shape}
    if isinstance(value, list) and isinstance(shape, list):
        return [pruned(item, like) for item, like in zip(value, shape, strict=False)]
    return value


def redacted(message: str, properties: Mapping[str, Any]) -> str:
    """A message of the API server, which may quote what it refuses, without the secrets in it."""
    for text in sorted(set(_secret_texts(properties)), key=len, reverse=True):
        if len(text) >= _SHORTEST_SECRET:
            message = message.replace(text, "[secret]")
    return message


def _metadata(obj: Object, key: str = "") -> dict[str, Any]:
    found: Any = obj.get("metadata") or {}
    if key and isinstance(found, dict):
        found = found.get(key) or {}
    return found if isinstance(found, dict) else {}


def _without_nulls(value: Any) -> Any:
    # To the API server a null is a field that the program sets, to its default.
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


def _with_secrets(out: dict[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    if out.get("kind") == "Secret":
        return {
            key: Secret(value) if key in ("data", "stringData") else value
            for key, value in out.items()
        }
    return {key: _secret_like(value, like.get(key)) for key, value in out.items()}


def _secret_like(value: Any, like: Any) -> Any:
    if isinstance(value, dict) and isinstance(like, Mapping):
        return _with_secrets(value, like)
    # A list is secret as a whole: its items may have moved.
    return Secret(value) if contains(like, Secret) else value


def _secret_texts(value: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, Secret):
        yield from _secret_texts(value.value, secret=True)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secret_texts(item, secret=secret)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, secret=secret)
    elif secret and isinstance(value, str):
        # Lines, since a quoted value has its line ends written in another way.
        yield from (value, _base64(value), *value.splitlines())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _reencoded(text: Any) -> Any:
    try:
        return base64.b64encode(base64.b64decode(text)).decode()
    except (binascii.Error, TypeError, ValueError):
        return text  # the API server says what is wrong with it
