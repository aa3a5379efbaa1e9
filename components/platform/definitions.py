"""CustomResourceDefinitions of the operators."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_kubernetes.apiextensions import CustomResource

from components.labels import COMMON_LABELS, NAME_LABEL


def custom_resource_definitions(
    name: str, operator: str, parent: pulumi.Resource
) -> Sequence[CustomResource]:
    """Create the definitions of ``crds/<operator>.yaml``.

    Other stacks may use them: they are kept when the parent is deleted.
    """
    return [
        CustomResource(
            f"{name}-crd-{definition['spec']['names']['plural']}",
            api_version=definition["apiVersion"],
            kind=definition["kind"],
            metadata={
                "name": definition["metadata"]["name"],
                "labels": {NAME_LABEL: operator, **COMMON_LABELS},
                # Stacks that share a cluster have the same definitions.
                "annotations": {"pulumi.com/patchForce": "true"},
            },
            spec=definition["spec"],
            opts=pulumi.ResourceOptions(parent=parent, retain_on_delete=True),
        )
        for definition in _read(operator)
    ]


@cache
def _read(operator: str) -> Sequence[Mapping[str, Any]]:
    return [*_parse((Path(__file__).parent / "crds" / f"{operator}.yaml").read_text())]


def _parse(text: str) -> Iterator[Mapping[str, Any]]:
    for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
        yield from document if isinstance(document, list) else (document,)
