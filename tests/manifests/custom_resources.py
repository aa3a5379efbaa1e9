"""JSON schemas of custom resources, from CustomResourceDefinitions in Go modules."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

Validators = dict[tuple[str, str], Draft202012Validator]
"""By API version and kind."""


def read_crds(*files: Path) -> Validators:
    """Validators of the custom resources that the files define."""
    return validators(
        one
        for file in files
        for one in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
        if one and one["kind"] == "CustomResourceDefinition"
    )


def validators(crds: Iterable[Any]) -> Validators:
    """Validators of the custom resources that CustomResourceDefinitions define."""
    found: Validators = {}
    for spec in (crd["spec"] for crd in crds):
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            # Not all definitions have the fields of every object.
            named = {key: {"type": "string"} for key in ("apiVersion", "kind")}
            properties = {**named, **schema["properties"], "metadata": {"type": "object"}}
            api_version = f"{spec['group']}/{version['name']}"
            validator = Draft202012Validator(_strict({**schema, "properties": properties}))
            found[api_version, spec["names"]["kind"]] = validator
    return found


def _strict(schema: Any) -> Any:  # any part of a schema
    """Reject unknown fields, as ``kubectl apply --validate=strict`` does."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    strict = {key: _strict(part) for key, part in schema.items()}
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not is_open:
        strict["additionalProperties"] = False
    return strict
