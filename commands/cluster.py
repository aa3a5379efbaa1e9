"""What the cluster of a stack has, read by kubectl."""

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from commands.errors import FAILED, CommandError
from components.labels import OWN

READ_SECONDS = 20


def read(
    *arguments: str, environment: Mapping[str, str], context: str | None = None
) -> dict[str, Any]:
    """The answer to ``kubectl get``, as JSON. ``context`` is the kubeconfig's current one.

    Raises :class:`CommandError` where there is none.
    """
    command = [
        "kubectl",
        *(["--context", context] if context else []),
        *("get", *arguments, "--output", "json", f"--request-timeout={READ_SECONDS}s"),
    ]
    try:
        result = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CommandError("there is no kubectl on the PATH: install it") from None
    if result.returncode != 0:
        raise CommandError(f"cannot read what runs: {result.stderr.strip()}", FAILED)
    # With --ignore-not-found there may be nothing at all.
    return json.loads(result.stdout.strip() or "{}")


def namespaces(names: Collection[str], *, environment: Mapping[str, str]) -> dict[str, str]:
    """The identity of each of these namespaces that the current cluster has.

    One that was made again has another, as has one of the same name in another cluster. Raises
    :class:`CommandError` as :func:`read`.
    """
    found = _namespaces(names, environment=environment)
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}


def refuse_foreign(
    names: Mapping[str, str], *, environment: Mapping[str, str], context: str | None = None
) -> None:
    """Raise :class:`CommandError` where a namespace is there that the program has not made.

    ``names`` are by their keys in the stack file. Pulumi would take such a namespace over, close it
    to all others, and delete it together with the stack.
    """
    for one in _namespaces(names.values(), environment=environment, context=context):
        metadata = one["metadata"]
        if OWN.items() <= metadata.get("labels", {}).items():
            continue
        key, name = next(item for item in names.items() if item[1] == metadata["name"])
        labels = " ".join(f"{label}={value}" for label, value in OWN.items())
        raise CommandError(
            f"slipway:{key} is {name}: the cluster has a namespace of that name which is not this "
            f"program's. Use another name, or give it away, to be deleted with the stack: "
            f"kubectl label namespace {name} {labels}"
        )


def _namespaces(
    names: Iterable[str], *, environment: Mapping[str, str], context: str | None = None
) -> list[dict[str, Any]]:
    found = read(
        *("namespaces", *names, "--ignore-not-found"), environment=environment, context=context
    )
    # Of one name kubectl gives the object, of several a list.
    return found.get("items", [found] if found else [])
