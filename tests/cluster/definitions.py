"""CustomResourceDefinitions that stacks of the tests leave: `make down` keeps them."""

import json
from collections.abc import Mapping

from components.labels import COMMON_LABELS, NAME_LABEL, PART_OF_LABEL
from tests.cluster.kubectl import kubectl

_OF_SLIPWAY = f"--selector={PART_OF_LABEL}={COMMON_LABELS[PART_OF_LABEL]}"


def delete_unused_definitions(created_since: str, environment: Mapping[str, str]) -> None:
    """Delete definitions of operators that no stack runs, created since an ISO 8601 time."""

    def by_operator(*arguments: str) -> list[tuple[str, Mapping[str, str]]]:
        text = kubectl("get", *arguments, _OF_SLIPWAY, "--output=json", environment=environment)
        metadata = [one["metadata"] for one in json.loads(text)["items"]]
        return [(one["labels"].get(NAME_LABEL, ""), one) for one in metadata]

    definitions = by_operator("customresourcedefinitions")
    # Read last: a stack creates an operator after its definitions.
    running = {name for name, _ in by_operator("deployments", "--all-namespaces")}
    unused = [
        f"crd/{metadata['name']}"
        for operator, metadata in definitions
        if operator not in running and metadata["creationTimestamp"] >= created_since
    ]
    if unused:
        kubectl("delete", "--ignore-not-found", *unused, environment=environment)
