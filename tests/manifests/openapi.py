"""JSON schemas for kubeconform, from what Kubernetes and others publish in their Go modules.

kubeconform's usual schemas come from a web site; these are of exactly the version that runs, and
need nothing but the Go module cache.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

_REFERENCE = "#/definitions/"
LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""Where kubeconform finds the schema of a kind below the folder."""


def write_schemas(swagger: Path, crds: Iterable[Path], folder: Path) -> None:
    """Write the schema of every built-in kind, and of every kind that ``crds`` defines."""
    definitions = json.loads(swagger.read_text())["definitions"]
    strict = {name: _strict(one) for name, one in definitions.items()}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            schema = {"$ref": f"{_REFERENCE}{name}", "definitions": _needed(strict, name)}
            path = folder / _file_name(kind["group"], kind["version"], kind["kind"])
            path.write_text(json.dumps(schema))
    for group, version, kind, schema in _custom_kinds(crds):
        (folder / _file_name(group, version, kind)).write_text(json.dumps(_strict(schema)))


def _needed(definitions: dict[str, Schema], name: str) -> dict[str, Schema]:
    """The definition of ``name``, and all that it refers to."""
    needed: dict[str, Schema] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting += re.findall(rf'"{_REFERENCE}([^"]+)"', json.dumps(definitions[name]))
    return needed


def _file_name(group: str, version: str, kind: str) -> str:
    suffix = f"{group.split('.', maxsplit=1)[0]}-{version}" if group else version
    return f"{kind.lower()}-{suffix}.json"


def _custom_kinds(crds: Iterable[Path]) -> Iterator[tuple[str, str, str, Schema]]:
    for file in crds:
        for crd in yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                schema["properties"]["metadata"] = {"type": "object"}
                yield spec["group"], version["name"], spec["names"]["kind"], schema


def _strict(schema: Any) -> Any:  # any part of a schema
    """The schema without the freedom to have fields that it does not name."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    strict = {key: _strict(part) for key, part in schema.items()}
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not is_open:
        strict["additionalProperties"] = False
    return strict
